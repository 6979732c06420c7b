/**
 * libdeflate, where it is installed: it decompresses raw deflate streams half as fast again as zlib.
 *
 * @module
 */
import { openOptional } from "../sys/optional_library.ts";

/** libdeflate.h; the interface has been stable since version 1.0. */
export const LIBDEFLATE_NAMES = ["libdeflate.so.0", "libdeflate.so"];
const SYMBOLS = {
  libdeflate_alloc_decompressor: { parameters: [], result: "pointer" },
  libdeflate_free_decompressor: { parameters: ["pointer"], result: "void" },
  libdeflate_deflate_decompress: {
    parameters: [
      "pointer", /* struct libdeflate_decompressor * */
      "buffer", /* const void *in */
      "u32", /* size_t in_nbytes, see libc.ts */
      "buffer", /* void *out */
      "u32", /* size_t out_nbytes_avail */
      "pointer", /* size_t *actual_out_nbytes_ret */
    ],
    result: "i32",
  },
  libdeflate_zlib_decompress: {
    parameters: [
      "pointer", /* struct libdeflate_decompressor * */
      "buffer", /* const void *in */
      "u32", /* size_t in_nbytes */
      "buffer", /* void *out */
      "u32", /* size_t out_nbytes_avail */
      "buffer", /* size_t *actual_out_nbytes_ret */
    ],
    result: "i32",
  },
} as const;

/** enum libdeflate_result */
const LIBDEFLATE_SUCCESS = 0;

type Library = NonNullable<ReturnType<typeof openOptional<typeof SYMBOLS>>>;

/** A decompressor of this thread. */
export class Libdeflate implements Disposable {
  readonly #library: Library;
  readonly #decompressor: Deno.PointerValue;
  readonly #outBytes = new BigUint64Array(1);

  private constructor(library: Library, decompressor: Deno.PointerValue) {
    this.#library = library;
    this.#decompressor = decompressor;
  }

  /** Undefined where the library is not installed. */
  static open(): Libdeflate | undefined {
    const library = openOptional(LIBDEFLATE_NAMES, SYMBOLS);
    const decompressor = library?.symbols.libdeflate_alloc_decompressor() ?? null;
    if (library === undefined || decompressor === null) return undefined;
    return new Libdeflate(library, decompressor);
  }

  /**
   * Decompresses a stream that may be followed by anything.
   *
   * @returns whether it has an end and fills `output` exactly; if not, `output` now means nothing
   */
  decompress(input: Uint8Array, output: Uint8Array): boolean {
    return this.#library.symbols.libdeflate_deflate_decompress(
      this.#decompressor,
      input as Uint8Array<ArrayBuffer>,
      input.length,
      output as Uint8Array<ArrayBuffer>,
      output.length,
      null, // SHORT_OUTPUT, if it is not filled
    ) === LIBDEFLATE_SUCCESS;
  }

  /**
   * Decompresses a stream that has a header and a checksum (RFC 1950), and may be followed by anything.
   *
   * @returns bytes of `output` that have been filled; -1 if it is damaged, or is more than that
   */
  decompressZlib(input: Uint8Array, output: Uint8Array): number {
    const result = this.#library.symbols.libdeflate_zlib_decompress(
      this.#decompressor,
      input as Uint8Array<ArrayBuffer>,
      input.length,
      output as Uint8Array<ArrayBuffer>,
      output.length,
      this.#outBytes,
    );
    return result === LIBDEFLATE_SUCCESS ? Number(this.#outBytes[0]) : -1;
  }

  [Symbol.dispose](): void {
    this.#library.symbols.libdeflate_free_decompressor(this.#decompressor);
    this.#library.close();
  }
}
