// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { vhdx } from "../../../src/format/vhdx/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { memoryFolder, TempDirectory } from "../../support/tools.ts";
import { OpenedImage, openImageFile } from "../opened_image.ts";
import { at, BLOCK, BLOCKS, buildVhdx, guid, LOG, MIB, putHeader } from "./image_builder.ts";
import { batPage, type EntryParts, LOG_GUID, putLog } from "./log_builder.ts";

const FOLDER = memoryFolder();
const PAGE = 4096;

/** The first bytes of the first blocks of an image with such a log. */
function firstBytes(
  entries: readonly EntryParts[],
  damage: (bytes: Uint8Array) => void = () => {},
): number[] {
  using folder = new TempDirectory(FOLDER);
  const bytes = putLog(buildVhdx({ bat: [at(0), at(1)] }), entries);
  damage(bytes);
  const path = folder.file("disk.vhdx");
  Deno.writeFileSync(path, bytes);
  using image = new OpenedImage(path, vhdx);
  return [0, 1, 2].map((block) => image.read(block * BLOCK, 1)[0] ?? -1);
}

/** An entry that says so of the BAT. */
function bat(
  place: number,
  sequence: number,
  blocks: readonly number[],
  more: Partial<EntryParts> = {},
): EntryParts {
  return { place, sequence, logged: [batPage(blocks.map((n) => at(n)))], ...more };
}

Deno.test("vhdx reads an image as if its log had been replayed, and says that it is dirty", () => {
  assertEquals(firstBytes([bat(0, 1, [3, 2, 1])]), [4, 3, 2]);
  using folder = new TempDirectory(FOLDER);
  const path = folder.file("disk.vhdx");
  const bytes = putLog(buildVhdx(), [bat(0, 1, [3])]);
  Deno.writeFileSync(path, bytes);
  using file = openImageFile(path);
  assertEquals(vhdx.info?.(file).dirty, true);
  assertEquals(Deno.readFileSync(path), bytes);
});

Deno.test("vhdx replays all entries from the tail of the last one on, in their order", () => {
  const entries = [
    bat(0, 5, [3, 3, 3]),
    bat(2 * PAGE, 6, [2, 2, 2]),
    { place: 4 * PAGE, sequence: 7, tail: 0, logged: [] },
  ];
  assertEquals(firstBytes(entries), [3, 3, 3]);
});

Deno.test("vhdx takes nothing of what lies in front of the tail, or is of another log", () => {
  const before = [bat(0, 5, [3, 3, 3]), { place: 2 * PAGE, sequence: 6, logged: [] }];
  assertEquals(firstBytes(before), [1, 2, 0]);
  assertEquals(firstBytes([bat(0, 5, [3, 3, 3], { guid: guid(7) })]), [1, 2, 0]);
});

Deno.test("vhdx takes the sequence with the highest number, wherever in the log it is", () => {
  const entries = [bat(4 * PAGE, 9, [3]), bat(0, 10, [2]), bat(8 * PAGE, 3, [1])];
  assertEquals(firstBytes(entries), [3, 0, 0]);
});

Deno.test("vhdx follows the log around its end", () => {
  const entries = [
    bat(MIB - 3 * PAGE, 1, [3, 3, 3]),
    bat(MIB - PAGE, 2, [2, 2, 1], { tail: MIB - 3 * PAGE }),
  ];
  assertEquals(firstBytes(entries), [3, 3, 2]);
});

Deno.test("vhdx passes over an entry that was not written whole", () => {
  const entries = [bat(0, 1, [3]), bat(2 * PAGE, 2, [2])];
  const tear = (bytes: Uint8Array): void => {
    bytes[LOG + 3 * PAGE + 100] = 1;
  };
  assertEquals(firstBytes(entries, tear), [4, 0, 0]);
  assertEquals(firstBytes(entries.slice(0, 1), (bytes) => bytes.fill(0, LOG, LOG + 16)), [1, 2, 0]);
});

Deno.test("vhdx takes one entry whatever its tail is, and refuses several that are no sequence", () => {
  assertEquals(firstBytes([bat(0, 1, [3], { tail: 8 * PAGE })]), [4, 0, 0]);
  const entries = [bat(0, 1, [3], { tail: 8 * PAGE }), bat(2 * PAGE, 2, [3], { tail: 8 * PAGE })];
  assertThrows(() => firstBytes(entries), ImageFormatError, "no sequence that could be replayed");
});

Deno.test("vhdx takes zeros and bytes of blocks from the log, too", () => {
  using folder = new TempDirectory(FOLDER);
  const path = folder.file("disk.vhdx");
  const page = new Uint8Array(PAGE).fill(0xaa);
  const logged = [
    { hostOffset: BLOCKS, zeros: 3 * PAGE },
    { hostOffset: BLOCKS + PAGE, page },
    { hostOffset: BLOCKS + 4 * PAGE, page: page.slice().fill(0xbb) },
  ];
  const bytes = putLog(buildVhdx({ bat: [at(0)] }), [{ place: 0, sequence: 1, logged }]);
  Deno.writeFileSync(path, bytes);
  using image = new OpenedImage(path, vhdx);
  const read = image.read(0, 6 * PAGE);
  assertEquals([0, 1, 2, 3, 4, 5].map((n) => read[n * PAGE]), [0, 0xaa, 0, 1, 0xbb, 1]);
  assertEquals([0, 1, 2, 3, 4, 5].map((n) => read[n * PAGE + PAGE - 1]), [0, 0xaa, 0, 1, 0xbb, 1]);
});

Deno.test("vhdx has the file be as long as the log says", () => {
  using folder = new TempDirectory(FOLDER);
  const path = folder.file("disk.vhdx");
  const bytes = buildVhdx({ stored: 1 });
  const logged = [batPage([at(0), at(1)])];
  putLog(bytes, [{ place: 0, sequence: 1, logged, last: BLOCKS + 2 * BLOCK }]);
  Deno.writeFileSync(path, bytes);
  using image = new OpenedImage(path, vhdx);
  assertEquals(image.read(BLOCK - 1, 2), Uint8Array.of(1, 0));
  assertEquals(image.read(2 * BLOCK - 1, 1), Uint8Array.of(0));
});

const REFUSED: readonly [message: string, entry: Partial<EntryParts>][] = [
  ["the file was cut off", { flushed: 2 ** 40 }],
  ["longer than files can be", { last: 2 ** 60 }],
  ["a place outside the file", { logged: [{ hostOffset: 2 ** 52, zeros: PAGE }] }],
  ["a place outside the file", { logged: [{ hostOffset: 0, zeros: 2 ** 52 }] }],
];

for (const [message, parts] of REFUSED) {
  Deno.test(`vhdx refuses a log: ${message} (${Object.keys(parts)})`, () => {
    const entry = { place: 0, sequence: 1, ...parts };
    assertThrows(() => firstBytes([entry]), ImageFormatError, message);
  });
}

Deno.test("vhdx refuses a log too large to be looked through", () => {
  using folder = new TempDirectory(FOLDER);
  const path = folder.file("disk.vhdx");
  const bytes = buildVhdx();
  const more = { log_length: 65 * MIB, log_offset: BigInt(16 * MIB), log_guid: guid(LOG_GUID) };
  putHeader(bytes, 128 * 1024, { sequence_number: 2n, ...more });
  Deno.writeFileSync(path, bytes);
  Deno.truncateSync(path, 100 * MIB);
  assertThrows(() => new OpenedImage(path, vhdx), UnsupportedFeatureError, "a log of 68157440");
});
