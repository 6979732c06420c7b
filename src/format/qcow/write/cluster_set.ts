/**
 * A set of clusters, given by their numbers.
 *
 * @module
 */

const CHUNK_BITS = 12;
const CHUNK_CLUSTERS = 2 ** CHUNK_BITS;
const WORD_BITS = 32;
const NOTHING = new Uint32Array(CHUNK_CLUSTERS / WORD_BITS);

/** Takes a bit for each cluster of a neighbourhood in which there are any. */
export class ClusterSet {
  readonly #chunks = new Map<number, Uint32Array<ArrayBuffer>>();
  #lastIndex = -1;
  #last: Uint32Array<ArrayBuffer> = NOTHING;

  has(cluster: number): boolean {
    const index = Math.floor(cluster / CHUNK_CLUSTERS);
    if (index !== this.#lastIndex) {
      this.#last = this.#chunks.get(index) ?? NOTHING;
      this.#lastIndex = index;
    }
    return isSet(this.#last, cluster);
  }

  /** Has it be those of `other`. */
  become(other: ClusterSet): void {
    this.#chunks.clear();
    for (const [index, chunk] of other.#chunks) this.#chunks.set(index, chunk);
    this.#lastIndex = -1;
  }

  /** How much memory the bits take, in bytes. */
  get memoryBytes(): number {
    return this.#chunks.size * NOTHING.byteLength;
  }

  /** False if it was there already. */
  add(cluster: number): boolean {
    const index = Math.floor(cluster / CHUNK_CLUSTERS);
    const chunk = this.#chunks.get(index) ?? new Uint32Array(NOTHING.length);
    this.#chunks.set(index, chunk);
    this.#lastIndex = -1;
    if (isSet(chunk, cluster)) return false;
    const word = wordOf(cluster);
    chunk[word] = (chunk[word] ?? 0) | 1 << cluster % WORD_BITS;
    return true;
  }

  delete(cluster: number): void {
    const chunk = this.#chunks.get(Math.floor(cluster / CHUNK_CLUSTERS));
    if (chunk === undefined) return;
    const word = wordOf(cluster);
    chunk[word] = (chunk[word] ?? 0) & ~(1 << cluster % WORD_BITS);
  }
}

function isSet(chunk: Uint32Array, cluster: number): boolean {
  return ((chunk[wordOf(cluster)] ?? 0) >>> cluster % WORD_BITS & 1) !== 0;
}

function wordOf(cluster: number): number {
  return cluster % CHUNK_CLUSTERS >>> 5;
}
