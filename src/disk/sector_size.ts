/**
 * The logical block size of the device that shows a disk.
 *
 * @module
 */
import { ImageFormatError } from "../image/errors.ts";
import { type Disk, findPartitionTable } from "../kernel/partition_tables.ts";
import { SystemError } from "../sys/errno.ts";
import { IoBuffer } from "../sys/memory.ts";
import type { ImageAccess } from "./image_access.ts";
import { ReadRequest } from "./reader.ts";
import type { Window } from "./window.ts";

/** Of a device whose image does not say. */
export const DEFAULT_SECTOR_BYTES = 512;

const NOTHING = new Uint8Array(0);

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
  return findPartitionTable(diskIn(access, window, usual))?.sectorBytes ?? usual;
}

function diskIn(
  access: ImageAccess,
  { startBytes, sizeBytes }: Window,
  sectorBytes: number,
): Disk {
  const request = new ReadRequest();
  const patience = new Patience();
  const read = (offset: number, lengthBytes: number): Uint8Array => {
    const countBytes = Math.max(0, Math.min(lengthBytes, sizeBytes - offset));
    if (countBytes === 0) return NOTHING;
    const buffer = new IoBuffer(countBytes);
    request.ask(startBytes + offset, countBytes).into(buffer, 0);
    try {
      return patience.until(() => access.read(request)) ? buffer.bytes : NOTHING;
    } catch (error) {
      if (error instanceof ImageFormatError || error instanceof SystemError) return NOTHING;
      throw error;
    }
  };
  return { sizeBytes, sectorBytes, read };
}

/** Where the content of a disk is still to come, its start comes soon; all that lies far behind does not. */
const PAUSE_MS = 20;
const MOST_PAUSES = 100;

/** Waits for something, but not for too long altogether. */
class Patience {
  readonly #never = new Int32Array(new SharedArrayBuffer(4));
  #pauses = 0;

  /** @returns false if it has not come */
  until(isThere: () => boolean): boolean {
    while (!isThere()) {
      if (this.#pauses++ >= MOST_PAUSES) return false;
      Atomics.wait(this.#never, 0, 0, PAUSE_MS);
    }
    return true;
  }
}
