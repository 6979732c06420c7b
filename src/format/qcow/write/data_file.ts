/**
 * An external data file: each guest byte has the place in it that it has in the disk.
 *
 * @module
 */
import type { Placement } from "../../../image/writing.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { EINVAL, SystemError } from "../../../sys/errno.ts";
import { IoBuffer } from "../../../sys/memory.ts";

const FALLOC_FL_KEEP_SIZE = 0x01;
const FALLOC_FL_PUNCH_HOLE = 0x02;
const ZEROS_BYTES = 64 * 1024;

export class DataFile {
  readonly #file: ImageFile;

  constructor(file: ImageFile) {
    this.#file = file;
  }

  reserve(placement: Placement): void {
    placement.file = this.#file;
    placement.hostOffset = placement.guestOffset;
    placement.isBlank = placement.guestOffset - placement.headBytes >= this.#file.sizeBytes;
  }

  /**
   * Has a range be zeros: others read it without the image.
   *
   * @throws {SystemError} if it cannot be changed
   */
  clear(hostOffset: number, lengthBytes: number): void {
    const inFile = Math.min(lengthBytes, this.#file.sizeBytes - hostOffset);
    if (inFile <= 0 || this.#punch(hostOffset, inFile)) return;
    const zeros = new IoBuffer(Math.min(ZEROS_BYTES, inFile));
    for (let at = 0; at < inFile; at += zeros.size) {
      this.#file.write(zeros, 0, hostOffset + at, Math.min(zeros.size, inFile - at));
    }
  }

  #punch(hostOffset: number, lengthBytes: number): boolean {
    try {
      const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
      return this.#file.allocate(mode, hostOffset, lengthBytes);
    } catch (error) {
      if (error instanceof SystemError && error.errno === EINVAL) return false;
      throw error;
    }
  }
}
