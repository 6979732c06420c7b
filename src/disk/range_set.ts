/**
 * A set of numbers that lie side by side mostly, such as the bytes of a disk.
 *
 * @module
 */

/** From `start` on, up to `end`. */
export interface NumberRange {
  readonly start: number;
  readonly end: number;
}

export class RangeSet {
  /** Where ranges begin and end, by turns, in order: no two of them touch. */
  readonly #bounds: number[] = [];

  add(start: number, end: number): void {
    if (start >= end) return;
    const first = this.#boundFrom(start);
    // A range that ends here goes on.
    const last = this.#boundFrom(end + 1);
    const begins = first % 2 === 0 ? [start] : [];
    const ends = last % 2 === 0 ? [end] : [];
    this.#bounds.splice(first, last - first, ...begins, ...ends);
  }

  /** What is not in it from `start` on, up to `end`. */
  gaps(start: number, end: number): NumberRange[] {
    const gaps: NumberRange[] = [];
    // That of the first range that does not end before.
    let bound = this.#boundFrom(start + 1);
    let at = bound % 2 === 0 ? start : this.#bounds[bound++] ?? end;
    for (; at < end; bound += 2) {
      const next = Math.min(this.#bounds[bound] ?? end, end);
      if (next > at) gaps.push({ start: at, end: next });
      at = this.#bounds[bound + 1] ?? end;
    }
    return gaps;
  }

  /** Index of the first bound that is not below `value`. */
  #boundFrom(value: number): number {
    let [low, high] = [0, this.#bounds.length];
    while (low < high) {
      const middle = low + high >>> 1;
      if ((this.#bounds[middle] ?? Infinity) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
