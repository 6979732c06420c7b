/**
 * Pieces stored as raw deflate streams (RFC 1951).
 *
 * @module
 */
import type { Libdeflate } from "./libdeflate.ts";
import { conclude, type Decompressor } from "./decompressor.ts";
import { ReusableStream } from "./runtime_streams.ts";

// Header of a block (section 3.2.3), whose bits begin with the lowest
const BLOCK_TYPE_MASK = 0x6;
const DYNAMIC_CODES = 0x4;
/** Numbers of codes (section 3.2.7, HLIT and HDIST, 5 bits each) above which they mean nothing. */
const LENGTH_CODES_SHIFT = 3;
const DISTANCE_CODES_MASK = 0x1f;
const MOST_CODES = 29;

/**
 * A stream need not be ended, and may go on: what fills a piece is one, as in qemu. A stream has
 * no checksum: that all of it can be decompressed is all that tells damage, so that all of it is,
 * even if only its first bytes are wanted.
 */
export class Inflater implements Decompressor {
  readonly #library: Libdeflate | undefined;
  #stream: ReusableStream | undefined;

  /** @param library what to use for streams that end where the piece does, as nearly all do */
  constructor(library: Libdeflate | undefined) {
    this.#library = library;
  }

  decompress(stored: Uint8Array, piece: Uint8Array, leastBytes?: number): boolean {
    if (isOrdinary(stored) && this.#library?.decompress(stored, piece)) return true;
    const stream = this.#stream ??= new ReusableStream("deflate");
    return conclude(stream.decompress(stored, piece), piece, leastBytes);
  }

  [Symbol.dispose](): void {
    this.#library?.[Symbol.dispose]();
    this.#stream?.[Symbol.dispose]();
  }
}

/**
 * Whether a stream begins with a block in which only codes can stand that mean something, as nearly
 * all do. libdeflate does not notice others, which are damage: in a later block they go unnoticed.
 */
function isOrdinary(stream: Uint8Array): boolean {
  const first = stream[0] ?? 0;
  const second = stream[1] ?? 0;
  return (first & BLOCK_TYPE_MASK) === DYNAMIC_CODES &&
    first >>> LENGTH_CODES_SHIFT <= MOST_CODES && (second & DISTANCE_CODES_MASK) <= MOST_CODES;
}
