/**
 * Which clusters of a file are used.
 *
 * @module
 */

/** For more clusters than that, the answer would take too much memory: 2 TiB of the smallest ones. */
const MAX_BYTES = 64 * 1024 * 1024;

export class UsedClusters {
  /** A bit for each cluster. */
  readonly #bits: Uint8Array;
  readonly #clusters: number;
  #used = 0;
  #end = 0;

  /** @throws {RangeError} if there are too many */
  constructor(clusters: number) {
    const lengthBytes = Math.ceil(clusters / 8);
    if (lengthBytes > MAX_BYTES) {
      throw new RangeError("the file has too many clusters to be checked");
    }
    this.#bits = new Uint8Array(lengthBytes);
    this.#clusters = clusters;
  }

  /** Says that clusters of the file are used; false if one of them was used already. */
  claim(first: number, count: number): boolean {
    let isFree = true;
    for (let cluster = first; cluster < first + count; cluster++) {
      const at = Math.floor(cluster / 8);
      const before = this.#bits[at] ?? 0;
      const after = before | 1 << cluster % 8;
      if (after === before) isFree = false;
      else this.#used++;
      this.#bits[at] = after;
    }
    this.#end = Math.max(this.#end, first + count);
    return isFree;
  }

  /** All that are used are less. */
  get end(): number {
    return this.#end;
  }

  /** How many are not used. */
  get unused(): number {
    return this.#clusters - this.#used;
  }
}
