/**
 * libzstd, where it is installed: it decompresses a frame in one go, straight to where it belongs. The
 * runtime's own, the same library, offers only streams, which take a fifth longer.
 *
 * @module
 */
import { openOptional } from "../sys/optional_library.ts";

/** zstd.h; all of these are stable since version 1.3. */
export const LIBZSTD_NAMES = ["libzstd.so.1"];
const SYMBOLS = {
  ZSTD_createDCtx: { parameters: [], result: "pointer" },
  ZSTD_freeDCtx: { parameters: ["pointer"], result: "usize" },
  ZSTD_decompressDCtx: {
    parameters: [
      "pointer", /* ZSTD_DCtx * */
      "buffer", /* void *dst */
      "u32", /* size_t dstCapacity, see libc.ts */
      "buffer", /* const void *src */
      "u32", /* size_t srcSize */
    ],
    result: "u32", /* size_t: bytes, or a number near 2^64 that names an error */
  },
} as const;

type Library = NonNullable<ReturnType<typeof openOptional<typeof SYMBOLS>>>;

/** A decompressor of this thread. */
export class Libzstd implements Disposable {
  readonly #library: Library;
  readonly #context: Deno.PointerValue;

  private constructor(library: Library, context: Deno.PointerValue) {
    this.#library = library;
    this.#context = context;
  }

  /** Undefined where the library is not installed. */
  static open(): Libzstd | undefined {
    const library = openOptional(LIBZSTD_NAMES, SYMBOLS);
    const context = library?.symbols.ZSTD_createDCtx() ?? null;
    if (library === undefined || context === null) return undefined;
    return new Libzstd(library, context);
  }

  /**
   * Decompresses `frame`, one or several without anything behind.
   *
   * @returns whether they fill `output` exactly; if not, `output` now means nothing
   */
  decompress(frame: Uint8Array, output: Uint8Array): boolean {
    return this.#library.symbols.ZSTD_decompressDCtx(
      this.#context,
      output as Uint8Array<ArrayBuffer>,
      output.length,
      frame as Uint8Array<ArrayBuffer>,
      frame.length,
    ) === output.length;
  }

  [Symbol.dispose](): void {
    this.#library.symbols.ZSTD_freeDCtx(this.#context);
    this.#library.close();
  }
}
