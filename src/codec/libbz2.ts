/**
 * Pieces stored as bzip2(1) writes them, by libbz2. There is no other decoder here.
 *
 * @module
 */
import { openOptional } from "../sys/optional_library.ts";
import { conclude, type Decompressor } from "./decompressor.ts";

/** bzlib.h; the interface has been the same since version 1.0. */
export const LIBBZ2_NAMES = ["libbz2.so.1.0", "libbz2.so.1"];
const SYMBOLS = {
  BZ2_bzBuffToBuffDecompress: {
    parameters: [
      "buffer", /* char *dest */
      "buffer", /* unsigned int *destLen */
      "buffer", /* char *source */
      "u32", /* unsigned int sourceLen */
      "i32", /* int small */
      "i32", /* int verbosity */
    ],
    result: "i32",
  },
} as const;

const BZ_OK = 0;

type Library = NonNullable<ReturnType<typeof openOptional<typeof SYMBOLS>>>;

/** A stream has to be whole, and its checksums right; it may be followed by anything. */
export class Libbz2 implements Decompressor {
  readonly #library: Library;
  readonly #outBytes = new Uint32Array(1);

  private constructor(library: Library) {
    this.#library = library;
  }

  /** Undefined where the library is not installed. */
  static open(): Libbz2 | undefined {
    const library = openOptional(LIBBZ2_NAMES, SYMBOLS);
    return library && new Libbz2(library);
  }

  decompress(stored: Uint8Array, piece: Uint8Array, leastBytes?: number): boolean {
    this.#outBytes[0] = piece.length;
    const result = this.#library.symbols.BZ2_bzBuffToBuffDecompress(
      piece as Uint8Array<ArrayBuffer>,
      this.#outBytes,
      stored as Uint8Array<ArrayBuffer>,
      stored.length,
      0,
      0,
    );
    return result === BZ_OK && conclude(this.#outBytes[0], piece, leastBytes);
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }
}
