/**
 * Pieces stored as streams of xz(1), by liblzma. There is no other decoder here.
 *
 * @module
 */
import { openOptional } from "../sys/optional_library.ts";
import { conclude, type Decompressor } from "./decompressor.ts";

/** lzma/container.h; the interface has been stable since version 5.0. */
export const LIBLZMA_NAMES = ["liblzma.so.5"];
const SYMBOLS = {
  lzma_stream_buffer_decode: {
    parameters: [
      "buffer", /* uint64_t *memlimit */
      "u32", /* uint32_t flags */
      "pointer", /* const lzma_allocator *allocator */
      "buffer", /* const uint8_t *in */
      "buffer", /* size_t *in_pos */
      "usize", /* size_t in_size */
      "buffer", /* uint8_t *out */
      "buffer", /* size_t *out_pos */
      "usize", /* size_t out_size */
    ],
    result: "i32",
  },
} as const;

const LZMA_OK = 0;
/** Of one stream: four times what the largest preset of xz(1) takes. */
const MAX_MEMORY_BYTES = 256n * 1024n * 1024n;

type Library = NonNullable<ReturnType<typeof openOptional<typeof SYMBOLS>>>;

/** A stream has to be whole, and its checksums right; it may be followed by anything. */
export class Liblzma implements Decompressor {
  readonly #library: Library;
  readonly #memoryLimit = new BigUint64Array(1);
  readonly #inPosition = new BigUint64Array(1);
  readonly #outPosition = new BigUint64Array(1);

  private constructor(library: Library) {
    this.#library = library;
  }

  /** Undefined where the library is not installed. */
  static open(): Liblzma | undefined {
    const library = openOptional(LIBLZMA_NAMES, SYMBOLS);
    return library && new Liblzma(library);
  }

  decompress(stored: Uint8Array, piece: Uint8Array, leastBytes?: number): boolean {
    this.#memoryLimit[0] = MAX_MEMORY_BYTES;
    this.#inPosition[0] = 0n;
    this.#outPosition[0] = 0n;
    const result = this.#library.symbols.lzma_stream_buffer_decode(
      this.#memoryLimit,
      0,
      null,
      stored as Uint8Array<ArrayBuffer>,
      this.#inPosition,
      BigInt(stored.length),
      piece as Uint8Array<ArrayBuffer>,
      this.#outPosition,
      BigInt(piece.length),
    );
    return result === LZMA_OK && conclude(Number(this.#outPosition[0]), piece, leastBytes);
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }
}
