/**
 * An external data file: each guest byte has the place in it that it has in the disk.
 *
 * @module
 */
import type { Placement } from "../../../image/writing.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { zeroRange } from "../../../storage/zero_range.ts";
import { IoBuffer } from "../../../sys/memory.ts";

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
   * Has it be as long as a disk that is to be larger; what it has behind the old end already is nobody's,
   * and becomes zeros.
   *
   * @throws {RangeError} if it cannot be longer
   * @throws {SystemError} if it cannot be changed
   */
  grow(fromBytes: number, toBytes: number): void {
    // Not as it was once: what somebody else has put behind that would be cut off.
    this.#file.refreshSize();
    const { sizeBytes, canGrow } = this.#file;
    if (sizeBytes < toBytes && !canGrow) {
      throw new RangeError("its external data file is a block device that is too small");
    }
    this.clear(fromBytes, Math.min(toBytes, sizeBytes) - fromBytes);
    if (sizeBytes < toBytes) this.#file.setSize(toBytes);
  }

  /**
   * Has a range be zeros: others read it without the image.
   *
   * @throws {SystemError} if it cannot be changed
   */
  clear(hostOffset: number, lengthBytes: number): void {
    const inFile = Math.min(lengthBytes, this.#file.sizeBytes - hostOffset);
    const range = { hostOffset, lengthBytes: inFile };
    if (inFile <= 0 || zeroRange(this.#file, "freed", range)) return;
    const zeros = new IoBuffer(Math.min(ZEROS_BYTES, inFile));
    for (let at = 0; at < inFile; at += zeros.size) {
      this.#file.write(zeros, 0, hostOffset + at, Math.min(zeros.size, inFile - at));
    }
  }
}
