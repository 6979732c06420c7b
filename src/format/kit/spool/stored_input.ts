/**
 * What a file has, from its start on, as something that takes any part of it wants it.
 *
 * @module
 */
import type { Span } from "../../../codec/streams/stream_decoder.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";

const BUFFER_BYTES = 256 * 1024;
/** With less at hand, more is read: no header is longer. */
const LEAST_BYTES = 64 * 1024;

export class StoredInput {
  readonly #file: ImageFile;
  readonly #buffer = new IoBuffer(BUFFER_BYTES);
  /** Where in the file the buffer begins, what of it is filled, and what of that is taken. */
  #hostOffset = 0;
  #filledBytes = 0;
  #usedBytes = 0;

  constructor(file: ImageFile) {
    this.#file = file;
  }

  /** How many bytes have been taken in all. */
  get takenBytes(): number {
    return this.#hostOffset + this.#usedBytes;
  }

  /** What follows, and whether that is all; throws as {@link ImageFile.read}. */
  ask(): { readonly span: Span; readonly isLast: boolean } {
    const end = this.#hostOffset + this.#filledBytes;
    if (this.#filledBytes - this.#usedBytes < LEAST_BYTES && end < this.#file.sizeBytes) {
      this.#refill();
    }
    const lengthBytes = this.#filledBytes - this.#usedBytes;
    const span = { buffer: this.#buffer, start: this.#usedBytes, lengthBytes };
    return { span, isLast: this.#hostOffset + this.#filledBytes >= this.#file.sizeBytes };
  }

  #refill(): void {
    this.#hostOffset += this.#usedBytes;
    this.#usedBytes = 0;
    this.#filledBytes = Math.min(this.#buffer.size, this.#file.sizeBytes - this.#hostOffset);
    this.#file.read(this.#buffer, 0, this.#hostOffset, this.#filledBytes);
  }

  /** Says that so many bytes of what follows are not needed any more. */
  take(lengthBytes: number): void {
    this.#usedBytes += lengthBytes;
  }
}
