/**
 * xz(1) files, by liblzma: one stream or several, with padding between them.
 *
 * @module
 */
import { IoBuffer, setUint64, uint64 } from "../../sys/memory.ts";
import { openOptional } from "../../sys/optional_library.ts";
import { LIBLZMA_NAMES } from "../liblzma.ts";
import {
  addressOfSpan,
  refuseStandstill,
  type Span,
  type Step,
  type StreamDecoder,
  StreamError,
} from "./stream_decoder.ts";

/** lzma/container.h, lzma/base.h; the interface has been stable since version 5.0. */
const SYMBOLS = {
  lzma_stream_decoder: {
    parameters: ["usize", /* lzma_stream * */ "u64", /* memlimit */ "u32" /* flags */],
    result: "i32",
  },
  lzma_code: { parameters: ["usize", /* lzma_stream * */ "i32" /* lzma_action */], result: "i32" },
  lzma_end: { parameters: ["usize" /* lzma_stream * */], result: "void" },
} as const;

/** struct lzma_stream. */
const LZMA_STREAM = { nextIn: 0, availIn: 8, nextOut: 24, availOut: 32, size: 136 } as const;
const LZMA_CONCATENATED = 0x08;
const Action = { Run: 0, Finish: 3 } as const;
const Result = { Ok: 0, StreamEnd: 1, MemoryError: 5, MemoryLimit: 6, BufferError: 10 } as const;
/** Four times what the largest preset of xz(1) takes. */
const MAX_MEMORY_BYTES = 256n * 1024n * 1024n;

type Library = NonNullable<ReturnType<typeof openOptional<typeof SYMBOLS>>>;

export class XzStream implements StreamDecoder {
  readonly #library: Library;
  readonly #stream = new IoBuffer(LZMA_STREAM.size);

  private constructor(library: Library) {
    this.#library = library;
    const { address } = this.#stream;
    const { lzma_stream_decoder } = library.symbols;
    const result = lzma_stream_decoder(BigInt(address), MAX_MEMORY_BYTES, LZMA_CONCATENATED);
    if (result !== Result.Ok) throw new RangeError("there is no memory for decompressing");
  }

  /** Undefined where the library is not installed. */
  static open(): XzStream | undefined {
    const library = openOptional(LIBLZMA_NAMES, SYMBOLS);
    return library && new XzStream(library);
  }

  decode(input: Span, output: Span, isLast: boolean): Step {
    const { view, address } = this.#stream;
    setUint64(view, LZMA_STREAM.nextIn, addressOfSpan(input));
    setUint64(view, LZMA_STREAM.availIn, input.lengthBytes);
    setUint64(view, LZMA_STREAM.nextOut, addressOfSpan(output));
    setUint64(view, LZMA_STREAM.availOut, output.lengthBytes);
    const { lzma_code } = this.#library.symbols;
    const result = lzma_code(BigInt(address), isLast ? Action.Finish : Action.Run);
    if (result !== Result.Ok && result !== Result.StreamEnd && result !== Result.BufferError) {
      throw new StreamError(faultOf(result));
    }
    const takenBytes = input.lengthBytes - uint64(view, LZMA_STREAM.availIn);
    const filledBytes = output.lengthBytes - uint64(view, LZMA_STREAM.availOut);
    const isOver = result === Result.StreamEnd;
    return refuseStandstill({ takenBytes, filledBytes, isOver }, isLast);
  }

  [Symbol.dispose](): void {
    this.#library.symbols.lzma_end(BigInt(this.#stream.address));
    this.#library.close();
  }
}

function faultOf(result: number): string {
  const needsMemory = result === Result.MemoryError || result === Result.MemoryLimit;
  return needsMemory ? `it takes more than ${MAX_MEMORY_BYTES} bytes of memory` : "it is damaged";
}
