/**
 * The logical block size of the device that shows a disk.
 *
 * @module
 */
import { findPartitionTable } from "../kernel/partition_tables.ts";
import { earlyReader } from "./early_reader.ts";
import type { ImageAccess } from "./image_access.ts";
import type { Window } from "./window.ts";

/** Of a device whose image does not say. */
export const DEFAULT_SECTOR_BYTES = 512;

/** A number of bytes, or `auto`: what the partition table was made for. */
export type WantedSectors = number | "auto";

/**
 * The block size in bytes for what `window` shows of a disk: what was asked for, or what the partition
 * table there was made for, else what the image prescribes, else {@link DEFAULT_SECTOR_BYTES}.
 * What cannot be read has no table.
 */
export function sectorBytesOf(
  access: ImageAccess,
  wanted: WantedSectors | undefined,
  window: Window = { startBytes: 0, sizeBytes: access.sizeBytes },
): number {
  if (typeof wanted === "number") return wanted;
  const usual = access.prescribedSectorBytes ?? DEFAULT_SECTOR_BYTES;
  if (wanted === undefined) return usual;
  return findPartitionTable({
    sizeBytes: window.sizeBytes,
    sectorBytes: usual,
    read: earlyReader(access, window),
  })?.sectorBytes ?? usual;
}
