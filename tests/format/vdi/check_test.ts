// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { ENTRY_FREE } from "../../../src/format/vdi/layout.ts";
import { vdi } from "../../../src/format/vdi/mod.ts";
import { UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { oracleTest, run, TempDirectory } from "../../support/tools.ts";
import { openImageFile } from "../opened_image.ts";

const MIB = 1024 * 1024;
const MAP = 512;

interface Case {
  readonly what: string;
  /** Entries of the first blocks, of which four are stored. */
  readonly map: readonly number[];
  readonly count: number;
  readonly told: readonly string[];
  readonly corruptions: number;
  readonly leaks: number;
}

const CASES: readonly Case[] = [
  { what: "nothing", map: [0, 2, 1, 3], count: 4, told: [], corruptions: 0, leaks: 0 },
  { what: "blocks that nobody uses", map: [0, 2], count: 4, told: [], corruptions: 0, leaks: 2 },
  {
    what: "a place that two blocks have",
    map: [0, 1, 1],
    count: 2,
    told: ["block 2 is stored as number 1, as another one is"],
    corruptions: 1,
    leaks: 0,
  },
  {
    what: "a number that is none",
    map: [0, 8],
    count: 1,
    told: ["block 1 is said to be stored as number 8, which cannot be in the file"],
    corruptions: 1,
    leaks: 0,
  },
  {
    what: "a count that is too low",
    map: [0, 1, 2],
    count: 2,
    told: ["2 blocks are counted, but block 2 is used"],
    corruptions: 1,
    leaks: 0,
  },
];

for (const { what, map, count, told, corruptions, leaks } of CASES) {
  oracleTest(`vdi and qemu find ${what}`, ["qemu-img"], async () => {
    using folder = new TempDirectory();
    const path = folder.file("disk.vdi");
    await run("qemu-img", "create", "-q", "-f", "vdi", path, `${8 * MIB}`);
    const bytes = new Uint8Array(1024 + 4 * MIB);
    bytes.set(Deno.readFileSync(path).subarray(0, 1024));
    const view = new DataView(bytes.buffer);
    for (let block = 0; block < 8; block++) {
      view.setUint32(MAP + 4 * block, map[block] ?? ENTRY_FREE, true);
    }
    view.setUint32(388, count, true);
    Deno.writeFileSync(path, bytes);
    const { code } = await run("qemu-img", "check", "-q", "-f", "vdi", path);
    // It has no name for what is only lost.
    assertEquals(code, corruptions + leaks > 0 ? 2 : 0);
    using file = openImageFile(path);
    const lines: string[] = [];
    const found = vdi.check?.(file, { repair: "none", report: (line) => lines.push(line) });
    assertEquals([lines, found?.corruptions, found?.leaks], [told, corruptions, leaks]);
    const options = { repair: "all", report: (): void => {} } as const;
    assertThrows(() => vdi.check?.(file, options), UnsupportedFeatureError, "a repair");
  });
}
