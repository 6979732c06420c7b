// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { openImage } from "../../../src/disk/open.ts";
import { HEADER_OFFSETS } from "../../../src/format/vhdx/layout.ts";
import { ImageFormatError, RelatedFileError } from "../../../src/image/errors.ts";
import { readDisk } from "../../support/disk.ts";
import { memoryFolder, TempDirectory } from "../../support/tools.ts";
import { openImageFile } from "../opened_image.ts";
import {
  at,
  type BatEntry,
  BITS,
  BLOCK,
  buildVhdx,
  guid,
  guidOf,
  MIB,
  putHeader,
  type VhdxParts,
} from "./image_builder.ts";
import { chunk, IN_CHUNK } from "./chunk.ts";
import { batPage, putLog } from "./log_builder.ts";

const FOLDER = memoryFolder();
const REQUEST = { format: "VHDX", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };
const LINKS = { parent_linkage: `{${guidOf(2)}}`, relative_path: ".\\base.vhdx" };

/** A parent with the bytes 1 to 4 and zeros, and a child. */
function pair(folder: TempDirectory, child: VhdxParts, parent: VhdxParts = {}): string {
  const bat = [at(0), at(1), at(2), at(3)];
  Deno.writeFileSync(folder.file("base.vhdx"), buildVhdx({ bat, ...parent }));
  const path = folder.file("child.avhdx");
  const header = { data_write_guid: guid(5) };
  const bytes = buildVhdx({ header, parent: LINKS, bat: chunk(), ...child });
  for (let n = 5 * MIB; n < bytes.length; n++) bytes[n] = 0x10 + (bytes[n] ?? 0);
  Deno.writeFileSync(path, bytes);
  return path;
}

function read(path: string, more: { force?: boolean; parents?: string[] } = {}): Uint8Array {
  using access = openImage(openImageFile(path), { ...REQUEST, ...more });
  return readDisk(access, 0, access.sizeBytes);
}

Deno.test("vhdx has the parent's bytes for blocks that are not there, and zeros for those that are zeros", () => {
  using folder = new TempDirectory(FOLDER);
  const path = pair(folder, { bat: chunk([[0], at(1), [2], [3]]) });
  const bytes = read(path);
  assertEquals([0, 1, 2, 3, 4].map((block) => bytes[block * BLOCK]), [1, 0x12, 0, 0, 0]);
});

Deno.test("vhdx goes by the bits of sectors where only some of a block are there", () => {
  using folder = new TempDirectory(FOLDER);
  const path = pair(folder, { bat: chunk([at(0, 7), at(1, 7)]), bits: [0b110, 0, 0xff] });
  const bytes = read(path);
  const sectors = Array.from({ length: 25 }, (_, sector) => bytes[sector * 512 + 511]);
  const own = (sector: number): boolean => [1, 2].includes(sector) || sector >= 16 && sector < 24;
  assertEquals(sectors, sectors.map((_, sector) => own(sector) ? 0x11 : 1));
  assertEquals(bytes[BLOCK], 2);
});

Deno.test("vhdx has a bit for each sector of 4096 bytes where these are the disk's", () => {
  using folder = new TempDirectory(FOLDER);
  const bat = Array.from({ length: 8 * IN_CHUNK + 1 }, (): BatEntry => [0]);
  bat[0] = at(0, 7);
  bat[8 * IN_CHUNK] = [6, BITS / MIB];
  const path = pair(folder, { bat, bits: [0b10], sectorBytes: 4096 });
  const bytes = read(path);
  assertEquals([0, 4095, 4096, 8191, 8192].map((n) => bytes[n]), [1, 1, 0x11, 0x11, 1]);
});

Deno.test("vhdx has no sector of its own in a chunk without bits", () => {
  using folder = new TempDirectory(FOLDER);
  const bytes = read(pair(folder, { bat: chunk([at(0, 7)], false) }));
  assertEquals(bytes[0], 1);
});

Deno.test("vhdx throws where the bits are not in the file", () => {
  using folder = new TempDirectory(FOLDER);
  const bat = chunk([at(0, 7)]);
  const path = pair(folder, { bat: [...bat.slice(0, IN_CHUNK), [6, 2 ** 40]] });
  assertThrows(() => read(path), ImageFormatError, "is not in the file");
});

Deno.test("vhdx has zeros behind the end of a smaller parent, which may have larger blocks", () => {
  using folder = new TempDirectory(FOLDER);
  const path = pair(folder, {}, { sizeBytes: 2 * MIB, blockBytes: 2 * MIB, bat: [at(1)] });
  const bytes = read(path);
  assertEquals([0, 1, 2, 3].map((block) => bytes[block * BLOCK]), [2, 3, 0, 0]);
});

Deno.test("vhdx takes the log of a parent into account", () => {
  using folder = new TempDirectory(FOLDER);
  const path = pair(folder, {});
  const base = Deno.readFileSync(folder.file("base.vhdx"));
  putLog(base, [{ place: 0, sequence: 1, logged: [batPage([at(3)])] }]);
  Deno.writeFileSync(folder.file("base.vhdx"), base);
  assertEquals(read(path)[0], 4);
});

Deno.test("vhdx takes a parent by its second identifier, too", () => {
  using folder = new TempDirectory(FOLDER);
  const parent = { ...LINKS, parent_linkage: `{${guidOf(7)}}`, parent_linkage2: `{${guidOf(2)}}` };
  assertEquals(read(pair(folder, { parent }))[0], 1);
});

Deno.test("vhdx finds a parent by each of its names, and by its identifier alone", () => {
  for (
    const name of [
      { absolute_win32_path: "\\\\?\\d:\\vm\\base.vhdx" },
      { volume_path: "\\\\?\\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\\vm\\base.vhdx" },
      { relative_path: ".\\renamed.vhdx" },
    ]
  ) {
    using folder = new TempDirectory(FOLDER);
    const parent = { parent_linkage: LINKS.parent_linkage, ...name };
    assertEquals(read(pair(folder, { parent }))[0], 1);
  }
});

Deno.test("vhdx refuses a parent that was written to since, unless that is forced", () => {
  using folder = new TempDirectory(FOLDER);
  const path = pair(folder, {});
  const base = Deno.readFileSync(folder.file("base.vhdx"));
  putHeader(base, HEADER_OFFSETS[1], { sequence_number: 9n, data_write_guid: guid(6) });
  Deno.writeFileSync(folder.file("base.vhdx"), base);
  const error = assertThrows(() => read(path), RelatedFileError);
  assertStringIncludes(error.message, "no VHDX image with that UUID is in");
  assertStringIncludes(error.message, `base.vhdx: its UUID is ${guidOf(6)}, not ${guidOf(2)}`);
  const parents = [folder.file("base.vhdx")];
  assertThrows(() => read(path, { parents }), RelatedFileError, "--force takes it");
  assertEquals(read(path, { parents, force: true })[0], 1);
});
