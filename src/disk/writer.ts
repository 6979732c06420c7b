/**
 * Changing a disk, piece by piece: where each piece goes the driver says.
 *
 * @module
 */
import { Placement, type Writing } from "../image/writing.ts";
import { EINVAL, SystemError } from "../sys/errno.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { type Change, ChangeKind } from "./change.ts";

// linux/falloc.h
const FALLOC_FL_KEEP_SIZE = 0x01;
const FALLOC_FL_PUNCH_HOLE = 0x02;
const FALLOC_FL_ZERO_RANGE = 0x10;

/** Changes one disk for one thread. */
export class Writer {
  readonly #writing: Writing;
  readonly #placement = new Placement();

  constructor(writing: Writing) {
    this.#writing = writing;
  }

  /** Where what is left of a change begins: {@link Placement}, good until the next call. */
  place(change: Change, startBytes: number): Placement {
    const guestOffset = startBytes + change.offset + change.doneBytes;
    this.#writing.place(guestOffset, change.restBytes, this.#placement);
    return this.#placement;
  }

  /**
   * Writes the next run of a change.
   *
   * @returns how many bytes of it that was
   * @throws {SystemError} if the file cannot be written, ENOSPC among the reasons
   */
  write(change: Change, startBytes: number): number {
    const { source, position, doneBytes } = change;
    const { file, hostOffset, lengthBytes } = this.place(change, startBytes);
    if (file === undefined || source === undefined) throw new Error("nothing to write, or nowhere");
    file.write(source, position + doneBytes, hostOffset, lengthBytes);
    return lengthBytes;
  }

  /**
   * Frees the next piece of a change, or makes it read as zeros, by a call of the file system.
   *
   * @param pieceBytes its most, a power of two; pieces end at multiples of it in the file
   * @returns how many bytes of it that was; 0 if the file system cannot do it: zeros have to be written
   * @throws {SystemError} as fallocate(2)
   */
  clear(change: Change, startBytes: number, pieceBytes: number): number {
    const { file, hostOffset, lengthBytes } = this.place(change, startBytes);
    if (file === undefined) throw new Error("nowhere to clear");
    const end = Math.floor((hostOffset + pieceBytes) / pieceBytes) * pieceBytes;
    const count = Math.min(lengthBytes, end - hostOffset);
    if (change.kind === ChangeKind.Discard) {
      allocate(file, FALLOC_FL_PUNCH_HOLE, hostOffset, count);
      return count;
    }
    const punched = !change.keepAllocated &&
      allocate(file, FALLOC_FL_PUNCH_HOLE, hostOffset, count);
    return punched || allocate(file, FALLOC_FL_ZERO_RANGE, hostOffset, count) ? count : 0;
  }
}

/** A block device refuses ranges that are not whole logical blocks: that is not a failure. */
function allocate(file: ImageFile, mode: number, hostOffset: number, lengthBytes: number): boolean {
  try {
    return file.allocate(mode | FALLOC_FL_KEEP_SIZE, hostOffset, lengthBytes);
  } catch (error) {
    if (error instanceof SystemError && error.errno === EINVAL) return false;
    throw error;
  }
}
