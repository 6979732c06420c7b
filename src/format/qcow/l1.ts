/**
 * The L1 table: where the L2 tables are.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import type { Header } from "./header_types.ts";
import { OFFSET_MASK_HIGH, OFFSET_MASK_LOW, TABLE_ENTRY_BYTES } from "./layout.ts";

const CHUNK_BYTES = 1024 * 1024;

/**
 * Reads the entries that describe the disk, up to 32 MiB of them, while the image is being opened.
 *
 * @param decode what an entry at a position says: where the table is
 * @returns the host offset of each L2 table, 0 where there is none. Whether a table lies in the
 *   file, and at a cluster boundary, is for whoever reads the table to see: an image with one bad
 *   pointer is readable elsewhere.
 * @throws {SystemError} if the file cannot be read
 */
export function readL1(
  file: ImageFile,
  header: Pick<Header, "l1Offset" | "l1Entries">,
  decode: (view: DataView, position: number) => number,
): Float64Array {
  const offsets = new Float64Array(header.l1Entries);
  const chunk = new IoBuffer(Math.min(CHUNK_BYTES, offsets.length * TABLE_ENTRY_BYTES));
  const chunkEntries = chunk.size / TABLE_ENTRY_BYTES;
  for (let index = 0; index < offsets.length; index += chunkEntries) {
    const count = Math.min(chunkEntries, offsets.length - index);
    file.read(chunk, 0, header.l1Offset + index * TABLE_ENTRY_BYTES, count * TABLE_ENTRY_BYTES);
    for (let i = 0; i < count; i++) {
      offsets[index + i] = decode(chunk.view, i * TABLE_ENTRY_BYTES);
    }
  }
  return offsets;
}

/** Bits 9-55 of the table entry at `position`, as an offset in the file. */
export function offsetInEntry(view: DataView, position: number): number {
  const high = view.getUint32(position) & OFFSET_MASK_HIGH;
  const low = (view.getUint32(position + 4) & OFFSET_MASK_LOW) >>> 0;
  return high * 2 ** 32 + low;
}
