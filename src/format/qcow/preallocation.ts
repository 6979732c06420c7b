/**
 * Whether an image has its clusters allocated in advance, so that much of what counts as data lies
 * in holes of the file. Then it pays to ask the file where they are.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { openFileStatus } from "../../sys/files.ts";
import { IoBuffer } from "../../sys/memory.ts";
import type { Header } from "./header_types.ts";
import { blockOffsetInEntry } from "./l1.ts";
import { TABLE_ENTRY_BYTES } from "./layout.ts";

/** For longer files, references are not counted: nobody shall wait for that. */
const MAX_COUNTED_CLUSTERS = 128 * 1024;

/** What has to be known of an image: as it was checked when it was opened, whatever is there now. */
type Counted = Pick<Header, "clusterBytes" | "refcounts">;

/**
 * By the same rule as qemu (`qcow2_detect_metadata_preallocation`), so that both tell the same: more
 * clusters are in use than the file system has given space to, by two and by a ninth at least.
 *
 * @throws {SystemError} if the file cannot be read
 */
export function isPreallocated(file: ImageFile, header: Counted): boolean {
  const { clusterBytes } = header;
  const given = Math.floor(openFileStatus(file.fd).allocatedBytes / clusterBytes);
  const threshold = Math.max(Math.floor(given * 10 / 9), given + 2);
  const clusters = Math.ceil(file.sizeBytes / clusterBytes);
  if (clusters < threshold || clusters > MAX_COUNTED_CLUSTERS) return clusters >= threshold;
  // Some kilobytes are needed once in the life of an open image: too little to be parked for.
  return countUsed(file, header, clusters) >= threshold;
}

/** How many of the file's first `clusters` have a reference. */
function countUsed(file: ImageFile, counted: Counted, clusters: number): number {
  const { clusterBytes, refcounts: { tableOffset, tableEntries, order } } = counted;
  const clustersPerBlock = clusterBytes * 8 / 2 ** order;
  const blocks = Math.min(Math.ceil(clusters / clustersPerBlock), tableEntries);
  const table = readAll(file, tableOffset, blocks * TABLE_ENTRY_BYTES);
  let used = 0;
  for (let index = 0; index < blocks; index++) {
    const offset = blockOffsetInEntry(table.view, index * TABLE_ENTRY_BYTES);
    if (offset === 0) continue;
    const count = Math.min(clustersPerBlock, clusters - index * clustersPerBlock);
    const block = readAll(file, offset, Math.ceil(count * 2 ** order / 8));
    used += countNonZero(block.bytes, count, order);
  }
  return used;
}

/** Entries of 2^`order` bits that are not 0, among the first `count`. */
function countNonZero(block: Uint8Array, count: number, order: number): number {
  const bits = 2 ** order;
  const isUsed = bits >= 8
    ? (index: number): boolean => {
      const start = index * bits / 8;
      return block.subarray(start, start + bits / 8).some((byte) => byte !== 0);
    }
    : (index: number): boolean => {
      const byte = block[Math.floor(index * bits / 8)] ?? 0;
      return ((byte >> (index * bits % 8)) & (2 ** bits - 1)) !== 0;
    };
  let used = 0;
  for (let index = 0; index < count; index++) {
    if (isUsed(index)) used++;
  }
  return used;
}

function readAll(file: ImageFile, hostOffset: number, lengthBytes: number): IoBuffer {
  const buffer = new IoBuffer(lengthBytes);
  file.read(buffer, 0, hostOffset, lengthBytes);
  return buffer;
}
