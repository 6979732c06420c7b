/**
 * A number for each cluster of a file. Only neighbourhoods in which there is one take memory.
 *
 * @module
 */

const CHUNK_BITS = 12;
export const CHUNK_CLUSTERS: number = 2 ** CHUNK_BITS;

/** What all numbers of a check may take together. */
const MAX_MEMORY_BYTES = 1024 * 1024 * 1024;

/** The numbers of a neighbourhood. */
export type Chunk = Uint8Array | Uint16Array | Uint32Array;

/** Memory that several {@link ClusterCounts} take together. */
export class CountMemory {
  #bytes = 0;

  /** @throws {RangeError} if that is too much */
  take(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > MAX_MEMORY_BYTES) {
      throw new RangeError("checking the image takes more than 1 GiB of memory");
    }
  }
}

/** Numbers that never get larger than their width allows. */
export class ClusterCounts {
  /** The largest number. */
  readonly most: number;
  readonly #chunks = new Map<number, Chunk>();
  readonly #bytes: 1 | 2 | 4;
  readonly #memory: CountMemory;
  #lastIndex = -1;
  #last: Chunk | undefined;

  /** @param bits of each number; of 64, only those up to 2^32 - 1 are told apart */
  constructor(bits: number, memory: CountMemory) {
    this.most = 2 ** Math.min(bits, 32) - 1;
    this.#bytes = bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
    this.#memory = memory;
  }

  get(cluster: number): number {
    return this.chunkOf(cluster)?.[cluster % CHUNK_CLUSTERS] ?? 0;
  }

  /**
   * Makes a number larger by `count`.
   *
   * @returns how much of that found no room
   */
  add(cluster: number, count: number): number {
    const chunk = this.#chunkFor(cluster);
    const at = cluster % CHUNK_CLUSTERS;
    const wanted = (chunk[at] ?? 0) + count;
    chunk[at] = Math.min(wanted, this.most);
    return Math.max(0, wanted - this.most);
  }

  set(cluster: number, count: number): void {
    this.#chunkFor(cluster)[cluster % CHUNK_CLUSTERS] = Math.min(count, this.most);
  }

  /** The numbers around `cluster`, from a multiple of {@link CHUNK_CLUSTERS} on; undefined if all are 0. */
  chunkOf(cluster: number): Chunk | undefined {
    const index = Math.floor(cluster / CHUNK_CLUSTERS);
    if (index === this.#lastIndex) return this.#last;
    const chunk = this.#chunks.get(index);
    this.#lastIndex = index;
    this.#last = chunk;
    return chunk;
  }

  #chunkFor(cluster: number): Chunk {
    const known = this.chunkOf(cluster);
    if (known !== undefined) return known;
    this.#memory.take(CHUNK_CLUSTERS * this.#bytes);
    const chunk = newChunk(this.#bytes);
    this.#chunks.set(this.#lastIndex, chunk);
    this.#last = chunk;
    return chunk;
  }

  /** The first cluster of each chunk that takes memory, in no order. */
  chunks(): number[] {
    return [...this.#chunks.keys()].map((index) => index * CHUNK_CLUSTERS);
  }

  /** Clusters whose number is not 0, in their order. */
  *clusters(): Generator<number> {
    for (const first of this.chunks().sort((a, b) => a - b)) {
      const chunk = this.chunkOf(first) ?? [];
      for (let at = 0; at < chunk.length; at++) if (chunk[at] !== 0) yield first + at;
    }
  }
}

function newChunk(bytes: 1 | 2 | 4): Chunk {
  if (bytes === 1) return new Uint8Array(CHUNK_CLUSTERS);
  return bytes === 2 ? new Uint16Array(CHUNK_CLUSTERS) : new Uint32Array(CHUNK_CLUSTERS);
}
