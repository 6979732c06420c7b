/**
 * The byte in the header that says that an extent is in use, or was not closed in order.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { HOSTED_HEADER } from "../layout.ts";

export class UncleanFlag {
  readonly #file: ImageFile;
  /** The byte as it was; undefined as long as it has not been set. */
  #before: number | undefined;

  constructor(file: ImageFile) {
    this.#file = file;
  }

  /**
   * Sets it, durably, unless that has been done.
   *
   * @throws {SystemError} if that cannot be written
   */
  set(): void {
    if (this.#before !== undefined) return;
    const buffer = new IoBuffer(1);
    this.#file.read(buffer, 0, HOSTED_HEADER.offsets.unclean, 1);
    const [before = 0] = buffer.bytes;
    this.#write(1);
    this.#file.takeUnsynced();
    this.#file.sync();
    this.#before = before;
  }

  /** It is set, and whoever has set it left nothing undone that has not been done since. */
  takeOver(): void {
    this.#before = 0;
  }

  /** Has it be what it was before it was set, if it was; what others left undone, nobody has repaired. */
  restore(): void {
    if (this.#before !== undefined) this.#write(this.#before);
  }

  #write(value: number): void {
    const buffer = new IoBuffer(1);
    buffer.bytes[0] = value;
    this.#file.write(buffer, 0, HOSTED_HEADER.offsets.unclean, 1);
  }
}
