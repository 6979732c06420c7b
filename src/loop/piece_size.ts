/**
 * How large the pieces are in which a long change is made: as large as possible, but so that other
 * requests never have to wait long for one of them.
 *
 * @module
 */

/** Powers of two, in bytes. */
const SMALLEST = 64 * 1024;
const FIRST = 1024 * 1024;
const LARGEST = 1024 * 1024 * 1024;
/** A piece that takes longer is too large, one that takes less than a quarter of it too small. */
const MOST_MS = 2;

export class PieceSize {
  #bytes: number = FIRST;

  /** A power of two. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A piece of `lengthBytes` took `ms`. */
  took(ms: number, lengthBytes: number): void {
    if (ms > MOST_MS) this.#bytes = Math.max(SMALLEST, this.#bytes / 2);
    else if (ms < MOST_MS / 4 && lengthBytes === this.#bytes) {
      this.#bytes = Math.min(LARGEST, this.#bytes * 2);
    }
  }
}
