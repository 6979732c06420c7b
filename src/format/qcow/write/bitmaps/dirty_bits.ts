/**
 * Which parts of a disk have been written to since its image was opened: one bit for each part.
 *
 * @module
 */

const WORD_BITS = 32;
const ALL_ONES = 0xffff_ffff;

/** Marking takes no more than setting bits. */
export class DirtyBits {
  /** Bytes of the disk that a bit stands for: a power of two. */
  readonly #partsPerByte: number;
  readonly #partBytes: number;
  #words: Uint32Array<ArrayBuffer>;

  /** @param granularityBits bytes that a bit stands for, as a power of two */
  constructor(granularityBits: number, diskBytes: number) {
    this.#partBytes = 2 ** granularityBits;
    this.#partsPerByte = 1 / this.#partBytes;
    this.#words = new Uint32Array(wordsFor(diskBytes * this.#partsPerByte));
  }

  /** Memory that the bits of such a disk take at most, in bytes. */
  static memoryBytes(granularityBits: number, diskBytes: number): number {
    return wordsFor(diskBytes / 2 ** granularityBits) * Uint32Array.BYTES_PER_ELEMENT;
  }

  /** Makes room for a larger disk. */
  grow(diskBytes: number): void {
    const words = new Uint32Array(wordsFor(diskBytes * this.#partsPerByte));
    words.set(this.#words);
    this.#words = words;
  }

  /** Says that a range has been written to, or is about to be. What is behind the disk is left out. */
  mark(guestOffset: number, lengthBytes: number): void {
    const first = Math.floor(guestOffset * this.#partsPerByte);
    const last = Math.floor((guestOffset + lengthBytes - 1) * this.#partsPerByte);
    const words = this.#words;
    const firstWord = first >>> 5;
    const lastWord = last >>> 5;
    const head = ALL_ONES << (first & 31);
    const tail = ALL_ONES >>> (31 - (last & 31));
    if (firstWord === lastWord) {
      words[firstWord] = (words[firstWord] ?? 0) | head & tail;
      return;
    }
    words[firstWord] = (words[firstWord] ?? 0) | head;
    words.fill(ALL_ONES, firstWord + 1, lastWord);
    words[lastWord] = (words[lastWord] ?? 0) | tail;
  }

  /** Calls `visit` with the first byte of each part that is marked, from `start` up to `end`. */
  forEach(start: number, end: number, visit: (guestOffset: number) => void): void {
    const first = Math.floor(start * this.#partsPerByte);
    const stop = Math.min(Math.ceil(end * this.#partsPerByte), this.#words.length * WORD_BITS);
    for (let part = first; part < stop;) {
      const word = (this.#words[part >>> 5] ?? 0) >>> (part & 31);
      if (word === 0) {
        part = (part >>> 5) * WORD_BITS + WORD_BITS;
        continue;
      }
      part += Math.clz32(word & -word) ^ 31;
      if (part < stop) visit(part * this.#partBytes);
      part++;
    }
  }
}

function wordsFor(parts: number): number {
  return Math.ceil(Math.ceil(parts) / WORD_BITS);
}
