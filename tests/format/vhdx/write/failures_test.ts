// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Change, ChangeKind } from "../../../../src/disk/change.ts";
import { ImageFormatError } from "../../../../src/image/errors.ts";
import { IoBuffer } from "../../../../src/sys/memory.ts";
import { memoryFolder, TempDirectory } from "../../../support/tools.ts";
import { openForWriting, WritableDisk } from "../../qcow/write/writable_disk.ts";
import { chunk } from "../chunk.ts";
import {
  at,
  BLOCK,
  BLOCKS as BLOCKS_START,
  buildVhdx,
  guid,
  guidOf,
  LOG,
  MIB,
} from "../image_builder.ts";

const VHDX = { request: { format: "VHDX" } } as const;
const BLOCKS = 4000;
/** What one page of bits is about. */
const SPAN = 16 * MIB;
const PAGES = BLOCKS * MIB / SPAN;

/** Of a child, each write changes another page of bits. */
function childOf(folder: TempDirectory): string {
  const path = folder.file("child.vhdx");
  const sizeBytes = BLOCKS * MIB;
  const parent = { parent_linkage: `{${guidOf(2)}}`, relative_path: ".\\base.vhdx" };
  const parts = { bat: chunk([], false), stored: 0, sizeBytes, parent };
  Deno.writeFileSync(path, buildVhdx({ ...parts, header: { data_write_guid: guid(5) } }));
  Deno.writeFileSync(folder.file("base.vhdx"), buildVhdx({ stored: 0, sizeBytes }));
  return path;
}

Deno.test("vhdx never logs more than the log has room for, though rounds fail meanwhile", () => {
  using folder = new TempDirectory(memoryFolder());
  const path = childOf(folder);
  const file = openForWriting(path);
  const disk = new WritableDisk(path, { ...VHDX, file });
  const write = file.write.bind(file);
  const sector = (page: number): Uint8Array => new Uint8Array(512).fill(1 + page % 200);
  disk.write(0, sector(0));
  const lengths: number[] = [];
  file.write = (source, position, hostOffset, lengthBytes) => {
    if (hostOffset >= LOG && hostOffset < LOG + MIB) {
      lengths.push((hostOffset - LOG) % (MIB / 2) + lengthBytes);
    }
    write(source, position, hostOffset, lengthBytes);
  };
  const { access } = disk;
  assert(access.round !== undefined);
  let page = 1;
  for (; !access.wantsFlush; page++) disk.write(page * SPAN, sector(page));
  // As in a daemon: what is changed while a round is under way is for the next one.
  access.round.begin("everything");
  const source = new IoBuffer(512);
  const change = new Change();
  for (let step = 1; step > 0 && page < PAGES; page++) {
    source.bytes.set(sector(page));
    step = access.write(change.ask(ChangeKind.Write, page * SPAN, 512).from(source, 0));
  }
  access.round.end("unwritten");
  assert(disk.flush());
  assertEquals(lengths.filter((lengthBytes) => lengthBytes > MIB / 2), []);
  assert(disk.close());
});

Deno.test("vhdx does not write to an image with a log that would not be replayed", () => {
  using folder = new TempDirectory(memoryFolder());
  const path = folder.file("image.vhdx");
  const header = { log_offset: BigInt(16 * MIB), log_length: 65 * MIB };
  Deno.writeFileSync(path, buildVhdx({ header }));
  Deno.truncateSync(path, 81 * MIB);
  assertThrows(() => new WritableDisk(path, VHDX), ImageFormatError, "the log is too large");
  using readable = new WritableDisk(path, { request: { ...VHDX.request, readOnly: true } });
  assertEquals(readable.read(0, 1), Uint8Array.of(0));
});

Deno.test("vhdx leaves sectors of the parent's to it where what is discarded cannot be freed", () => {
  using folder = new TempDirectory(memoryFolder());
  const path = folder.file("child.vhdx");
  const parent = { parent_linkage: `{${guidOf(2)}}`, relative_path: ".\\base.vhdx" };
  // Of the child's first block, only the second sector is its own; the others have other bytes there.
  const parts = { bat: chunk([at(0, 7)]), bits: [0b10], stored: 1, parent };
  const child = buildVhdx({ ...parts, header: { data_write_guid: guid(5) } });
  for (let n = BLOCKS_START; n < child.length; n++) child[n] = 0x10 + (child[n] ?? 0);
  Deno.writeFileSync(path, child);
  Deno.writeFileSync(folder.file("base.vhdx"), buildVhdx({ bat: [at(0)], stored: 1 }));
  const file = openForWriting(path);
  const disk = new WritableDisk(path, { ...VHDX, file });
  file.allocate = () => false;
  assertEquals(firstBytes(disk), [1, 0x11, 1]);
  disk.discard(0, BLOCK);
  assertEquals(firstBytes(disk), [1, 0x11, 1]);
  assert(disk.close());
});

/** Of the first three sectors. */
function firstBytes(disk: WritableDisk): (number | undefined)[] {
  return [0, 512, 1024].map((offset) => disk.read(offset, 1)[0]);
}
