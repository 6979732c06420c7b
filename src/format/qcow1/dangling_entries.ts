/**
 * Where L2 entries lead to. An image that was cut off has some that lead out of the file: new clusters
 * come to lie there, and would then show in two places of the disk.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { damaged, hex } from "../qcow/errors.ts";
import type { L1Table } from "../qcow/l1.ts";
import type { Header } from "./header.ts";
import { L2_COMPRESSED_HIGH, TABLE_ENTRY_BYTES } from "./layout.ts";

/**
 * Reads all L2 tables, which are known to lie in the file.
 *
 * @throws {ImageFormatError} if some entry leads out of the file
 * @throws {SystemError} if a table cannot be read
 */
export function refuseDanglingEntries(file: ImageFile, header: Header, l1: L1Table): void {
  const { clusterBytes } = header;
  const endBytes = Math.ceil(file.sizeBytes / clusterBytes) * clusterBytes;
  for (const { entryOffset, start, lengthBytes } of storedRanges(file, header, l1)) {
    if (start + lengthBytes > endBytes) throw dangling(file, entryOffset, start);
  }
}

/**
 * Cuts off the end of the file that neither tables nor what they refer to lie in.
 *
 * @throws {SystemError} if a table cannot be read, or the file not be cut off
 */
export function cutUnusedEnd(file: ImageFile, header: Header, l1: L1Table): void {
  const { clusterBytes, l1Offset, l1Entries, tableBytes } = header;
  let end = l1Offset + l1Entries * TABLE_ENTRY_BYTES;
  for (let index = 0; index < l1.entries; index++) {
    end = Math.max(end, l1.tableOffset(index) + tableBytes);
  }
  for (const { start, lengthBytes } of storedRanges(file, header, l1)) {
    end = Math.max(end, start + lengthBytes);
  }
  const wanted = Math.ceil(end / clusterBytes) * clusterBytes;
  if (file.canGrow && wanted < file.sizeBytes) file.setSize(wanted);
}

/** What an entry refers to. */
interface StoredRange {
  readonly entryOffset: number;
  readonly start: number;
  readonly lengthBytes: number;
}

function* storedRanges(file: ImageFile, header: Header, l1: L1Table): Generator<StoredRange> {
  const { clusterBytes, tableBytes } = header;
  // As in cluster entries: the bits of the length are above those of the offset.
  const lengthShift = 63 - header.clusterBits - 32;
  const compressedMask = 2 ** lengthShift - 1;
  const table = new IoBuffer(tableBytes);
  for (let index = 0; index < l1.entries; index++) {
    const hostOffset = l1.tableOffset(index);
    if (hostOffset === 0) continue;
    file.read(table, 0, hostOffset, tableBytes);
    for (let at = 0; at < tableBytes; at += TABLE_ENTRY_BYTES) {
      const high = table.view.getUint32(at);
      const low = table.view.getUint32(at + 4);
      if (high === 0 && low === 0) continue;
      const isCompressed = (high & L2_COMPRESSED_HIGH) !== 0;
      const start = (isCompressed ? high & compressedMask : high) * 2 ** 32 + low;
      const lengthBytes = isCompressed
        ? Math.max(1, (high >>> lengthShift) & (clusterBytes - 1))
        : clusterBytes;
      yield { entryOffset: hostOffset + at, start, lengthBytes };
    }
  }
}

function dangling({ path }: ImageFile, entryOffset: number, target: number): Error {
  const message = `the L2 entry at ${hex(entryOffset)} leads out of the file, to ${hex(target)}`;
  return damaged(path, message, entryOffset);
}
