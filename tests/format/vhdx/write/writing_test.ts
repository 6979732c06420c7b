// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { LOG_ENTRY } from "../../../../src/format/vhdx/layout.ts";
import { vhdx } from "../../../../src/format/vhdx/mod.ts";
import { ImageFormatError, RelatedFileError } from "../../../../src/image/errors.ts";
import { SystemError } from "../../../../src/sys/errno.ts";
import { IMAGE_TOOLS } from "../../../support/images.ts";
import { memoryFolder, must, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { virtualBoxTest } from "../../../support/virtualbox.ts";
import { openImageFile, sameBytes } from "../../opened_image.ts";
import { Random } from "../../qcow/write/random_ops.ts";
import { openForWriting, WritableDisk } from "../../qcow/write/writable_disk.ts";
import { writeAtRandom, writeByQemu } from "../../written_in_turn.ts";
import { chunk } from "../chunk.ts";
import {
  at,
  BAT,
  type BatEntry,
  BLOCK,
  BLOCKS,
  buildVhdx,
  guid,
  guidOf,
  LOG,
  MIB,
  type VhdxParts,
} from "../image_builder.ts";
import { batPage, putLog } from "../log_builder.ts";
import { faultsOfVhdx } from "./checker.ts";

const FOLDER = memoryFolder();
const VHDX = { request: { format: "VHDX" } } as const;
const READ_ONLY = { request: { format: "VHDX", readOnly: true } } as const;

for (const option of ["subformat=dynamic,block_size=1M", "subformat=dynamic", "subformat=fixed"]) {
  oracleTest(`vhdx and qemu write in turn: ${option}`, IMAGE_TOOLS, async () => {
    using folder = new TempDirectory();
    const sizeBytes = 17 * MIB;
    const path = folder.file("disk.vhdx");
    await must("qemu-img", "create", "-q", "-f", "vhdx", "-o", option, path, `${sizeBytes}`);
    const model = new Uint8Array(sizeBytes);
    const random = new Random(option.length);
    for (let round = 0; round < 3; round++) {
      const disk = new WritableDisk(path, VHDX);
      writeAtRandom(disk, model, random, 8);
      assert(sameBytes(disk.read(0, sizeBytes), model), "read back");
      assert(disk.close());
      await must("qemu-img", "check", "-q", "-f", "vhdx", path);
      await writeByQemu(path, "vhdx", model, random);
    }
    const raw = folder.file("raw");
    await must("qemu-img", "convert", "-f", "vhdx", "-O", "raw", path, raw);
    assert(sameBytes(Deno.readFileSync(raw), model), "qemu reads other bytes");
  });
}

/** It refuses images of qemu, whose BAT is not marked as required. */
virtualBoxTest("VirtualBox reads what vhdx has written", async (box) => {
  const sizeBytes = 20 * MIB;
  const path = box.file("disk.vhdx");
  Deno.writeFileSync(path, buildVhdx({ sizeBytes, stored: 0 }));
  const model = new Uint8Array(sizeBytes);
  const disk = new WritableDisk(path, VHDX);
  writeAtRandom(disk, model, new Random(3), 10);
  assert(disk.close());
  const raw = box.file("disk.raw");
  await box.convert(path, "VHDX", raw, "--dstformat", "RAW");
  assert(sameBytes(Deno.readFileSync(raw), model), "VirtualBox reads other bytes");
});

function built(folder: TempDirectory, parts: VhdxParts = {}, name = "built.vhdx"): string {
  const path = folder.file(name);
  Deno.writeFileSync(path, buildVhdx(parts));
  return path;
}

function infoOf(path: string): { id: string | undefined; dirty: boolean | undefined } {
  using file = openImageFile(path);
  const info = vhdx.info?.(file);
  return { id: info?.identity?.id, dirty: info?.dirty };
}

function entryOf(path: string, index: number): readonly [state: number, mebibytes: number] {
  const view = new DataView(Deno.readFileSync(path).buffer);
  const entry = view.getBigUint64(BAT + 8 * index, true);
  return [Number(entry & 7n), Number(entry >> 20n)];
}

Deno.test("vhdx gives an image that is written to new identifiers, once, and says that it is open", () => {
  using folder = new TempDirectory(FOLDER);
  const path = built(folder, { bat: [at(0)] });
  const before = Deno.readFileSync(path);
  const untouched = new WritableDisk(path, VHDX);
  untouched.read(0, 512);
  assert(untouched.close());
  assert(sameBytes(Deno.readFileSync(path), before));
  const disk = new WritableDisk(path, VHDX);
  disk.write(0, new Uint8Array(512));
  const { id } = infoOf(path);
  assertNotEquals(id, guidOf(2));
  disk.write(4 * BLOCK, new Uint8Array(512).fill(7));
  assertEquals(infoOf(path), { id, dirty: true });
  assert(disk.close());
  assertEquals(infoOf(path), { id, dirty: false });
  const heads = [65536, 131072].map((start) =>
    Deno.readFileSync(path).slice(start + 16, start + 64)
  );
  assertEquals(heads[0], heads[1]);
  assertEquals(faultsOfVhdx(Deno.readFileSync(path), { blocks: 8, hasParent: false }), []);
});

Deno.test("vhdx writes in place without any log where all blocks are there", () => {
  using folder = new TempDirectory(FOLDER);
  const bat = [0, 1, 2, 3].map((n) => at(n));
  const path = built(folder, { bat, sizeBytes: 4 * MIB, flags: 1 });
  const disk = new WritableDisk(path, VHDX);
  disk.write(BLOCK - 100, new Uint8Array(200).fill(9));
  assertEquals(infoOf(path).dirty, false);
  assert(disk.close());
  const bytes = Deno.readFileSync(path);
  assertEquals(bytes.subarray(LOG, LOG + MIB).every((byte) => byte === 0), true);
  assertEquals(
    bytes.subarray(BLOCKS + BLOCK - 101, BLOCKS + BLOCK + 101),
    Uint8Array.of(1, ...new Uint8Array(200).fill(9), 2),
  );
});

Deno.test("vhdx replays the log on the disk before it writes", () => {
  using folder = new TempDirectory(FOLDER);
  const path = folder.file("dirty.vhdx");
  const bytes = putLog(buildVhdx({ bat: [at(0)] }), [
    { place: 0, sequence: 3, logged: [batPage([at(2), at(1)])], last: BLOCKS + 6 * BLOCK },
  ]);
  Deno.writeFileSync(path, bytes);
  const disk = new WritableDisk(path, VHDX);
  assertEquals(infoOf(path).dirty, false);
  assertEquals([entryOf(path, 0), entryOf(path, 1)], [[6, 7], [6, 6]]);
  disk.write(2 * BLOCK, Uint8Array.of(8));
  assert(disk.close());
  // What the log had the file be long enough for is not used for anything else.
  assertEquals(entryOf(path, 2), [6, 11]);
});

Deno.test("vhdx takes places behind all others, and those of blocks that were cut off", () => {
  using folder = new TempDirectory(FOLDER);
  const path = built(folder, { bat: [at(3), at(0)] });
  Deno.truncateSync(path, BLOCKS + 3 * BLOCK + 512);
  const disk = new WritableDisk(path, VHDX);
  disk.write(4 * BLOCK + 5, new Uint8Array(2 * BLOCK).fill(6));
  assertEquals(disk.read(4 * BLOCK, 6), Uint8Array.of(0, 0, 0, 0, 0, 6));
  assertEquals(disk.read(511, 2), Uint8Array.of(4, 0));
  disk.write(512, Uint8Array.of(3));
  assert(disk.close());
  assertEquals([4, 5, 6].map((block) => entryOf(path, block)), [[6, 9], [6, 10], [6, 11]]);
});

Deno.test("vhdx writes to many more blocks than its log has room for pages of the BAT", () => {
  using folder = new TempDirectory(FOLDER);
  // Every block has its entry in a page of its own: 512 blocks of 1 MiB apart.
  const path = folder.file("wide.vhdx");
  const blocks = 200;
  const sizeBytes = blocks * 512 * MIB;
  Deno.writeFileSync(path, buildVhdx({ sizeBytes, stored: 0 }));
  const disk = new WritableDisk(path, VHDX);
  for (let n = 0; n < blocks; n++) disk.write(n * 512 * MIB, Uint8Array.of(n + 1));
  assert(disk.close());
  using again = new WritableDisk(path, READ_ONLY);
  for (let n = 0; n < blocks; n++) {
    assertEquals(again.read(n * 512 * MIB, 2), Uint8Array.of(n + 1, 0));
  }
});

Deno.test("vhdx logs sizes of the file in whole MiB, as they have to be, wherever that ends", () => {
  using folder = new TempDirectory(FOLDER);
  const path = built(folder, { bat: [at(3)] });
  Deno.truncateSync(path, BLOCKS + 3 * BLOCK + 512);
  using disk = new WritableDisk(path, VHDX);
  disk.write(BLOCK, Uint8Array.of(1));
  const view = new DataView(Deno.readFileSync(path).buffer);
  const { flushed_file_offset: flushed, last_file_offset: last } = LOG_ENTRY.read(view, LOG);
  assertEquals([flushed, last].map(Number), [BLOCKS + 3 * BLOCK, BLOCKS + 4 * BLOCK]);
});

/** A child of an image with bytes of 1 to 4. */
function childOf(folder: TempDirectory, bat: readonly BatEntry[]): string {
  built(folder, { bat: [0, 1, 2, 3].map((n) => at(n)) }, "base.vhdx");
  const parent = { parent_linkage: `{${guidOf(2)}}`, relative_path: ".\\base.vhdx" };
  const header = { data_write_guid: guid(5) };
  return built(folder, { bat, parent, header, stored: 0 }, "child.vhdx");
}

Deno.test("vhdx has only the sectors be a child's own that are written to", () => {
  using folder = new TempDirectory(FOLDER);
  const path = childOf(folder, chunk([], false));
  const disk = new WritableDisk(path, VHDX);
  disk.write(700, Uint8Array.of(9));
  disk.write(3 * 512, new Uint8Array(1024).fill(9));
  disk.writeZeros(BLOCK, BLOCK);
  disk.discard(2 * BLOCK, BLOCK);
  disk.write(3 * BLOCK, new Uint8Array(BLOCK).fill(7));
  const expected = new Uint8Array(4 * BLOCK);
  for (const [block, byte] of [1, 0, 3, 7].entries()) {
    expected.fill(byte, block * BLOCK, (block + 1) * BLOCK);
  }
  expected[700] = 9;
  expected.fill(9, 1536, 2560);
  assert(sameBytes(disk.read(0, 4 * BLOCK), expected));
  assert(disk.close());
  const bytes = Deno.readFileSync(path);
  assertEquals(faultsOfVhdx(bytes, { blocks: 4, hasParent: true }), []);
  const [, bits] = entryOf(path, 4096);
  assertEquals(bytes.subarray(bits * MIB, bits * MIB + 2), Uint8Array.of(0b11010, 0));
  assertEquals([0, 1, 2, 3].map((block) => entryOf(path, block)[0]), [7, 2, 0, 6]);
  // A block of bits, and two of the disk.
  assertEquals(bytes.length, BLOCKS + 3 * BLOCK);
  using again = new WritableDisk(path, READ_ONLY);
  assert(sameBytes(again.read(0, 4 * BLOCK), expected));
});

Deno.test("vhdx has a block with some sectors of a child be its own when all of it is cleared", () => {
  using folder = new TempDirectory(FOLDER);
  const path = childOf(folder, chunk([], false));
  const disk = new WritableDisk(path, VHDX);
  disk.write(1024, new Uint8Array(512).fill(9));
  disk.writeZeros(0, BLOCK);
  assertEquals(disk.read(0, BLOCK), new Uint8Array(BLOCK));
  assert(disk.close());
  assertEquals(entryOf(path, 0)[0], 6);
});

Deno.test("vhdx refuses a child of an image that has been written to since", () => {
  using folder = new TempDirectory(FOLDER);
  const path = childOf(folder, chunk([], false));
  const base = new WritableDisk(folder.file("base.vhdx"), VHDX);
  base.write(0, Uint8Array.of(1));
  assert(base.close());
  assertThrows(() => new WritableDisk(path, VHDX), RelatedFileError, "its UUID is");
});

Deno.test("vhdx frees what is discarded where it is", () => {
  using folder = new TempDirectory(FOLDER);
  const path = built(folder, { bat: [at(0), at(1)] });
  const blocks = Deno.statSync(path).blocks ?? 0;
  const disk = new WritableDisk(path, VHDX);
  disk.discard(65536, BLOCK);
  assertEquals(disk.read(65535, 2), Uint8Array.of(1, 0));
  assertEquals(disk.read(BLOCK + 65535, 2), Uint8Array.of(0, 2));
  assert(disk.close());
  assert((Deno.statSync(path).blocks ?? 0) < blocks);
  assertEquals([entryOf(path, 0), entryOf(path, 1)], [at(0), at(1)]);
});

Deno.test("vhdx gives back what a write had that failed", () => {
  using folder = new TempDirectory(FOLDER);
  const path = built(folder, { stored: 0 });
  const file = openForWriting(path);
  const disk = new WritableDisk(path, { ...VHDX, file });
  disk.write(0, Uint8Array.of(1));
  const write = file.write.bind(file);
  file.write = () => {
    throw new SystemError("write", 28, path);
  };
  for (let n = 0; n < 5; n++) {
    assertThrows(() => disk.write(BLOCK, new Uint8Array(2 * BLOCK).fill(2)), SystemError);
  }
  file.write = write;
  disk.write(3 * BLOCK, Uint8Array.of(3));
  assert(disk.close());
  assertEquals(Deno.statSync(path).size, BLOCKS + 2 * BLOCK);
  assertEquals(faultsOfVhdx(Deno.readFileSync(path), { blocks: 8, hasParent: false }), []);
});

Deno.test("vhdx has no room on what cannot get longer, but writes to what is there", () => {
  using folder = new TempDirectory(FOLDER);
  const path = built(folder, { bat: [at(0)] });
  const file = openForWriting(path);
  Object.defineProperty(file, "canGrow", { value: false });
  using disk = new WritableDisk(path, { ...VHDX, file });
  disk.write(100, new Uint8Array(10).fill(9));
  assertThrows(() => disk.write(BLOCK, new Uint8Array(10)), SystemError, "No space left");
  assertEquals(disk.read(BLOCK, 1), Uint8Array.of(0));
});

const REFUSED: readonly [message: string, parts: VhdxParts][] = [
  ["two things share a place", { bat: [at(1), at(1)] }],
  ["two things share a place", { bat: [[6, 2]] }],
  ["two things share a place", { bat: [at(0), at(1), at(0, 7)] }],
  ["a block is not in the file", { bat: [at(4)] }],
  ["there is no log", { header: { log_length: 0 } }],
  ["there is no log", { header: { log_offset: 2n ** 62n } }],
  ["two things share a place", { header: { log_offset: BigInt(BAT) } }],
];

for (const [message, parts] of REFUSED) {
  Deno.test(`vhdx does not write to a damaged image: ${message} (${JSON.stringify(parts.bat)})`, () => {
    using folder = new TempDirectory(FOLDER);
    const path = built(folder, parts);
    const error = assertThrows(() => new WritableDisk(path, VHDX), ImageFormatError, message);
    assert(error.message.endsWith("it cannot be written to (-r attaches it read-only)"));
    using readable = new WritableDisk(path, READ_ONLY);
    assertEquals(readable.sizeBytes, 8 * BLOCK);
  });
}
