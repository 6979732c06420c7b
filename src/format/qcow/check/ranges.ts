/**
 * Parts of the file that metadata of several clusters take, of which there may be many, above one
 * another: each part of the file is looked at once, however many lay claim to it.
 *
 * @module
 */

/** A part of the file, in units that the caller knows, and how many ranges have it. */
export interface Segment {
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

/** Collects ranges of whole units. */
export class Ranges {
  readonly #changes: [at: number, by: number][] = [];

  add(start: number, end: number): void {
    if (start < end) this.#changes.push([start, 1], [end, -1]);
  }

  /** What at least one range has, in its order; neighbours have different counts. */
  *segments(): Generator<Segment> {
    this.#changes.sort(([a], [b]) => a - b);
    let start = 0;
    let count = 0;
    for (const [at, by] of this.#changes) {
      if (at > start && count > 0) yield { start, end: at, count };
      start = at;
      count += by;
    }
  }
}
