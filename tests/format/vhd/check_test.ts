// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { vhd } from "../../../src/format/vhd/mod.ts";
import { UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { TempDirectory } from "../../support/tools.ts";
import { openImageFile } from "../opened_image.ts";
import { WritableDisk } from "../qcow/write/writable_disk.ts";
import { BLOCK, BLOCKS, buildFixed, buildVhd, type VhdParts } from "./image_builder.ts";

const FULL = [0, 1, 2, 3];

/** What is told of an image, and how many corruptions and leaks there are. */
function check(bytes: Uint8Array): [string[], corruptions: number, leaks: number] {
  using folder = new TempDirectory();
  const path = folder.file("disk.vhd");
  Deno.writeFileSync(path, bytes);
  using file = openImageFile(path);
  const told: string[] = [];
  const found = vhd.check?.(file, { repair: "none", report: (line) => told.push(line) });
  return [told, found?.corruptions ?? -1, found?.leaks ?? -1];
}

const DAMAGED: readonly [told: string[], parts: VhdParts, corruptions: number, leaks: number][] = [
  [[], { map: FULL }, 0, 0],
  [[], { map: [0, 3] }, 0, 2],
  [[], { map: [0], stored: 3 }, 0, 2],
  [["a block lies in a block, at 0x1000"], { map: [0, 0, 1, 2, 3] }, 1, 0],
  [["a block is not all in the file, at 0x5800"], { map: [...FULL, 4] }, 1, 0],
  [
    ["the footer is missing or damaged, at 0x5800"],
    {
      map: FULL,
      footer: { checksum: 1 },
      copy: {},
    },
    1,
    0,
  ],
  [
    ["the copy of the footer is missing or another one, at 0x0"],
    {
      map: FULL,
      copy: { time: 1 },
    },
    1,
    0,
  ],
  [
    ["the checksum of the dynamic header is wrong, at 0x200"],
    {
      map: FULL,
      header: { checksum: 1 },
    },
    1,
    0,
  ],
];

for (const [told, parts, corruptions, leaks] of DAMAGED) {
  Deno.test(`vhd checks images: ${told[0] ?? `${leaks} leaks`}, ${parts.map?.length}`, () => {
    assertEquals(check(buildVhd(parts)), [told, corruptions, leaks]);
  });
}

Deno.test("vhd finds nothing wrong with what it has written, and with fixed images", () => {
  using folder = new TempDirectory();
  const path = folder.file("disk.vhd");
  Deno.writeFileSync(path, buildVhd({ map: [1, 0], stored: 2 }));
  const disk = new WritableDisk(path, { request: { format: "VHD" } });
  for (const block of [7, 3, 4]) disk.write(block * BLOCK, new Uint8Array(BLOCK));
  disk.close();
  assertEquals(check(Deno.readFileSync(path)), [[], 0, 0]);
  assertEquals(check(buildFixed(BLOCKS, 1)), [[], 0, 0]);
});

Deno.test("vhd repairs nothing", () => {
  using folder = new TempDirectory();
  const path = folder.file("disk.vhd");
  Deno.writeFileSync(path, buildVhd());
  using file = openImageFile(path);
  const options = { repair: "all", report: (): void => {} } as const;
  assertThrows(() => vhd.check?.(file, options), UnsupportedFeatureError, "a repair");
});
