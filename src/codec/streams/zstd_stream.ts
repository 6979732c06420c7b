/**
 * Zstandard frames (RFC 8878), one after the other, by libzstd.
 *
 * @module
 */
import { IoBuffer, setUint64, uint64 } from "../../sys/memory.ts";
import { openOptional } from "../../sys/optional_library.ts";
import { LIBZSTD_NAMES } from "../libzstd.ts";
import {
  addressOfSpan,
  refuseStandstill,
  type Span,
  type Step,
  type StreamDecoder,
  StreamError,
} from "./stream_decoder.ts";

/** zstd.h; all of these are stable since version 1.3. */
const SYMBOLS = {
  ZSTD_createDStream: { parameters: [], result: "pointer" },
  ZSTD_freeDStream: { parameters: ["pointer"], result: "usize" },
  ZSTD_decompressStream: {
    parameters: [
      "pointer", /* ZSTD_DStream * */
      "usize", /* ZSTD_outBuffer * */
      "usize", /* ZSTD_inBuffer * */
    ],
    result: "usize",
  },
  ZSTD_isError: { parameters: ["usize"], result: "u32" },
  ZSTD_getErrorName: { parameters: ["usize"], result: "pointer" },
} as const;

/** ZSTD_inBuffer and ZSTD_outBuffer: address, size, how far it has come. */
const BUFFER = { address: 0, size: 8, position: 16, bytes: 24 } as const;

type Library = NonNullable<ReturnType<typeof openOptional<typeof SYMBOLS>>>;

export class ZstdStream implements StreamDecoder {
  readonly #library: Library;
  readonly #stream: Deno.PointerValue;
  readonly #input = new IoBuffer(BUFFER.bytes);
  readonly #output = new IoBuffer(BUFFER.bytes);
  #isBetween = true;

  private constructor(library: Library) {
    this.#library = library;
    this.#stream = library.symbols.ZSTD_createDStream();
    if (this.#stream === null) throw new RangeError("there is no memory for decompressing");
  }

  /** Undefined where the library is not installed. */
  static open(): ZstdStream | undefined {
    const library = openOptional(LIBZSTD_NAMES, SYMBOLS);
    return library && new ZstdStream(library);
  }

  decode(input: Span, output: Span, isLast: boolean): Step {
    if (this.#isBetween && isLast && input.lengthBytes === 0) {
      return { takenBytes: 0, filledBytes: 0, isOver: true };
    }
    fillIn(this.#input, input);
    fillIn(this.#output, output);
    const { ZSTD_decompressStream, ZSTD_isError } = this.#library.symbols;
    const [to, from] = [BigInt(this.#output.address), BigInt(this.#input.address)];
    const result = ZSTD_decompressStream(this.#stream, to, from);
    if (ZSTD_isError(result) !== 0) throw new StreamError(this.#nameOf(result));
    this.#isBetween = result === 0n;
    const takenBytes = uint64(this.#input.view, BUFFER.position);
    const filledBytes = uint64(this.#output.view, BUFFER.position);
    return refuseStandstill({ takenBytes, filledBytes, isOver: false }, isLast);
  }

  /** The library's words: some say what the user can do about it. */
  #nameOf(result: bigint): string {
    const name = this.#library.symbols.ZSTD_getErrorName(result);
    return name === null ? "it is damaged" : Deno.UnsafePointerView.getCString(name);
  }

  [Symbol.dispose](): void {
    this.#library.symbols.ZSTD_freeDStream(this.#stream);
    this.#library.close();
  }
}

function fillIn({ view }: IoBuffer, span: Span): void {
  setUint64(view, BUFFER.address, addressOfSpan(span));
  setUint64(view, BUFFER.size, span.lengthBytes);
  setUint64(view, BUFFER.position, 0);
}
