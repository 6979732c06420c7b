/**
 * Reading and changing an {@link ImageAccess} in one call, for tests.
 *
 * @module
 */
import { Change, ChangeKind } from "../../src/disk/change.ts";
import type { ImageAccess } from "../../src/disk/image_access.ts";
import { ReadRequest } from "../../src/disk/reader.ts";
import { DiskSeek } from "../../src/disk/seek.ts";
import { IoBuffer } from "../../src/sys/memory.ts";

/** Bytes of the disk, waited for. */
export function readDisk(access: ImageAccess, offset: number, lengthBytes: number): Uint8Array {
  const target = new IoBuffer(lengthBytes);
  if (!access.read(new ReadRequest().ask(offset, lengthBytes).into(target, 0))) {
    throw new Error("a read that may wait was blocked");
  }
  return target.bytes;
}

/** Writes `bytes` at `offset`. */
export function writeDisk(access: ImageAccess, offset: number, bytes: Uint8Array): void {
  const source = new IoBuffer(bytes.length + 3);
  source.bytes.set(bytes, 3);
  const change = new Change().ask(ChangeKind.Write, offset, bytes.length).from(source, 3);
  while (change.restBytes > 0) change.doneBytes += access.write(change);
}

/** As lseek(2) with SEEK_DATA or SEEK_HOLE; -1 if nothing stored follows. */
export function seekDisk(access: ImageAccess, offset: number, wanted: "data" | "hole"): number {
  const seek = new DiskSeek();
  seek.offset = offset;
  seek.wantsHole = wanted === "hole";
  while (seek.step(access) !== "found");
  return seek.offset;
}
