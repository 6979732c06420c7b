/**
 * The chunks of a disk, in their order: where each is stored, and how.
 *
 * @module
 */
import type { CompressionMethod, Packing } from "../../image/decoding.ts";

/** In place of a method: stored as it is. */
export const RAW_CHUNK = 255;

/** One chunk, in bytes. */
export interface Chunk {
  readonly start: number;
  readonly end: number;
  readonly hostOffset: number;
  readonly hostBytes: number;
  readonly method: CompressionMethod | typeof RAW_CHUNK;
}

/** What one takes in memory. */
export const BYTES_OF_CHUNK: number = 4 * Float64Array.BYTES_PER_ELEMENT + 1;

/** Arrays of what chunks have, by their numbers. */
export class Chunks {
  #count = 0;
  #starts: Float64Array;
  #ends: Float64Array;
  #hostOffsets: Float64Array;
  #hostBytes: Float64Array;
  #methods: Uint8Array;
  /** The one that was found last. */
  #last = 0;

  /** @param most how many there will be at most */
  constructor(most: number) {
    this.#starts = new Float64Array(most);
    this.#ends = new Float64Array(most);
    this.#hostOffsets = new Float64Array(most);
    this.#hostBytes = new Float64Array(most);
    this.#methods = new Uint8Array(most);
  }

  add({ start, end, hostOffset, hostBytes, method }: Chunk): void {
    const at = this.#count++;
    this.#starts[at] = start;
    this.#ends[at] = end;
    this.#hostOffsets[at] = hostOffset;
    this.#hostBytes[at] = hostBytes;
    this.#methods[at] = method;
  }

  /**
   * Puts all that have been added in order; to be called before any is looked for.
   *
   * @throws {RangeError} if two of them overlap
   */
  sort(): void {
    if (this.#isSorted) return;
    const order = Uint32Array.from({ length: this.#count }, (_, index) => index)
      .sort((one, other) => this.start(one) - this.start(other));
    this.#starts = Float64Array.from(order, (chunk) => this.start(chunk));
    this.#ends = Float64Array.from(order, (chunk) => this.end(chunk));
    this.#hostOffsets = Float64Array.from(order, (chunk) => this.hostOffset(chunk));
    this.#hostBytes = Float64Array.from(order, (chunk) => this.hostBytes(chunk));
    this.#methods = Uint8Array.from(order, (chunk) => this.method(chunk));
    if (!this.#isSorted) throw new RangeError("chunks of the disk overlap");
  }

  get #isSorted(): boolean {
    for (let chunk = 1; chunk < this.#count; chunk++) {
      if (this.start(chunk) < this.end(chunk - 1)) return false;
    }
    return true;
  }

  get count(): number {
    return this.#count;
  }

  /** What the compressed ones have in common. */
  get packing(): Packing {
    let maxPieceBytes = 1;
    const methods = new Set<CompressionMethod>();
    for (let chunk = 0; chunk < this.#count; chunk++) {
      const method = this.method(chunk);
      if (method === RAW_CHUNK) continue;
      methods.add(method);
      maxPieceBytes = Math.max(maxPieceBytes, this.end(chunk) - this.start(chunk));
    }
    return { maxPieceBytes, methods: [...methods] };
  }

  /** Where it begins in the disk; Infinity behind the last one. */
  start(chunk: number): number {
    return chunk < this.#count ? this.#starts[chunk] ?? Infinity : Infinity;
  }

  /** Where it ends; likewise. */
  end(chunk: number): number {
    return chunk < this.#count ? this.#ends[chunk] ?? Infinity : Infinity;
  }

  hostOffset(chunk: number): number {
    return this.#hostOffsets[chunk] ?? 0;
  }

  hostBytes(chunk: number): number {
    return this.#hostBytes[chunk] ?? 0;
  }

  method(chunk: number): Chunk["method"] {
    return (this.#methods[chunk] ?? RAW_CHUNK) as Chunk["method"];
  }

  /** The first chunk that ends behind a place of the disk; their number, if none does. */
  find(guestOffset: number): number {
    const last = this.#last;
    if (guestOffset >= this.start(last) && guestOffset < this.end(last + 1)) {
      return this.#last = guestOffset < this.end(last) ? last : last + 1;
    }
    return this.#last = this.#search(guestOffset);
  }

  #search(guestOffset: number): number {
    let first = 0;
    for (let count = this.#count; count > 0;) {
      const half = count >> 1;
      if (this.end(first + half) > guestOffset) {
        count = half;
      } else {
        first += half + 1;
        count -= half + 1;
      }
    }
    return first;
  }
}
