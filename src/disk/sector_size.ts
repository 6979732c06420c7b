/**
 * The logical block size of the device that shows a disk.
 *
 * @module
 */
import { type Disk, findPartitionTable } from "../kernel/partition_tables.ts";
import { IoBuffer } from "../sys/memory.ts";
import type { ImageAccess } from "./image_access.ts";
import { ReadRequest } from "./reader.ts";
import type { Window } from "./window.ts";

/** Of a device whose image does not say. */
export const DEFAULT_SECTOR_BYTES = 512;

/** A number of bytes, or `auto`: what the partition table was made for. */
export type WantedSectors = number | "auto";

/**
 * The block size in bytes for what `window` shows of a disk: what was asked for, or what the partition
 * table there was made for, else what the image prescribes, else {@link DEFAULT_SECTOR_BYTES}.
 *
 * @throws {ImageFormatError | SystemError} if a table is to be looked for where nothing can be read
 */
export function sectorBytesOf(
  access: ImageAccess,
  wanted: WantedSectors | undefined,
  window: Window = { startBytes: 0, sizeBytes: access.sizeBytes },
): number {
  if (typeof wanted === "number") return wanted;
  const usual = access.prescribedSectorBytes ?? DEFAULT_SECTOR_BYTES;
  if (wanted === undefined) return usual;
  return findPartitionTable(diskIn(access, window, usual))?.sectorBytes ?? usual;
}

function diskIn(
  access: ImageAccess,
  { startBytes, sizeBytes }: Window,
  sectorBytes: number,
): Disk {
  const request = new ReadRequest();
  const read = (offset: number, lengthBytes: number): Uint8Array => {
    const countBytes = Math.max(0, Math.min(lengthBytes, sizeBytes - offset));
    const buffer = new IoBuffer(countBytes);
    if (countBytes > 0) access.read(request.ask(startBytes + offset, countBytes).into(buffer, 0));
    return buffer.bytes;
  };
  return { sizeBytes, sectorBytes, read };
}
