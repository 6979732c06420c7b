/**
 * Bits of a stream that is read from its end on, the highest bit of the last byte first: that is how
 * finite state entropy codes are read.
 *
 * @module
 */

/** Bytes that are looked at in front of a stream, and behind it. */
export const MARGIN_BYTES = 8;

export class BackwardBits {
  readonly #view: DataView;
  readonly #firstBit: number;
  #bit: number;

  /**
   * @param view has {@link MARGIN_BYTES} more on either side
   * @param bitsLess so many bits of the last byte are not used
   */
  constructor(
    view: DataView,
    { start, end }: { readonly start: number; readonly end: number },
    bitsLess: number,
  ) {
    this.#view = view;
    this.#firstBit = 8 * start;
    this.#bit = 8 * end - bitsLess;
  }

  /** Whether more bits have been read than there were: to be asked for every 64 of them. */
  get isOverdrawn(): boolean {
    return this.#bit < this.#firstBit;
  }

  /** The next bits, at most 25, as a number: with those of their first byte, they have to fit into 32. */
  pull(count: number): number {
    const bit = this.#bit -= count;
    return this.#view.getUint32(bit >>> 3, true) >>> (bit & 7) & (1 << count) - 1;
  }
}
