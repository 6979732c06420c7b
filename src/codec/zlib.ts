/**
 * Pieces stored as streams with a header and a checksum (RFC 1950), which may be followed by anything.
 *
 * @module
 */
import type { Libdeflate } from "./libdeflate.ts";
import { conclude, type Decompressor } from "./decompressor.ts";
import { ReusableStream } from "./runtime_streams.ts";

const CHECKSUM_BYTES = 4;
/** The largest prime below 2^16. */
const ADLER_BASE = 65521;
/** So many bytes can be summed up before the sums leave 32 bits. */
const ADLER_RUN = 3800;

/** A stream has to be whole, and its checksum right. */
export class ZlibDecoder implements Decompressor {
  readonly #library: Libdeflate | undefined;
  #stream: ReusableStream | undefined;
  readonly #oneMore = new Uint8Array(1);

  constructor(library: Libdeflate | undefined) {
    this.#library = library;
  }

  decompress(stored: Uint8Array, piece: Uint8Array, leastBytes?: number): boolean {
    const count = this.#library?.decompressZlib(stored, piece) ??
      this.#decompressByStream(stored, piece);
    return conclude(count, piece, leastBytes);
  }

  #decompressByStream(stored: Uint8Array, piece: Uint8Array): number {
    const stream = this.#stream ??= new ReusableStream("zlib");
    const count = stream.decompress(stored, piece);
    if (count < 0 || count === piece.length && stream.goOn(stored, this.#oneMore) !== 0) return -1;
    // The runtime does not say whether a stream has come to its end: its last bytes do.
    const sum = stream.taken - CHECKSUM_BYTES;
    if (sum < 0) return -1;
    const wanted = new DataView(stored.buffer, stored.byteOffset + sum).getUint32(0);
    return wanted === adler32(piece.subarray(0, count)) ? count : -1;
  }

  [Symbol.dispose](): void {
    this.#library?.[Symbol.dispose]();
    this.#stream?.[Symbol.dispose]();
  }
}

/** The checksum of section 8.2. */
export function adler32(bytes: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (let start = 0; start < bytes.length; start += ADLER_RUN) {
    const end = Math.min(start + ADLER_RUN, bytes.length);
    for (let at = start; at < end; at++) {
      low += bytes[at] ?? 0;
      high += low;
    }
    low %= ADLER_BASE;
    high %= ADLER_BASE;
  }
  return high * 2 ** 16 + low;
}
