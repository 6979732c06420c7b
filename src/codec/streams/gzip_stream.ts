/**
 * gzip(1) files (RFC 1952), by libz: one member or several, each with a checksum.
 *
 * @module
 */
import { cString, IoBuffer, setUint64 } from "../../sys/memory.ts";
import { openOptional } from "../../sys/optional_library.ts";
import {
  addressOfSpan,
  bytesOfSpan,
  refuseStandstill,
  type Span,
  type Step,
  type StreamDecoder,
  StreamError,
} from "./stream_decoder.ts";

/** zlib.h; the interface has been stable since version 1.2. */
const LIBZ_NAMES: readonly string[] = ["libz.so.1"];
const SYMBOLS = {
  inflateInit2_: {
    parameters: [
      "usize", /* z_stream * */
      "i32", /* int windowBits */
      "buffer", /* const char *version */
      "i32", /* int stream_size */
    ],
    result: "i32",
  },
  inflate: { parameters: ["usize", /* z_stream * */ "i32" /* int flush */], result: "i32" },
  inflateReset: { parameters: ["usize" /* z_stream * */], result: "i32" },
  inflateEnd: { parameters: ["usize" /* z_stream * */], result: "i32" },
} as const;

/** struct z_stream, where a long has 64 bits. */
const Z_STREAM = { nextIn: 0, availIn: 8, nextOut: 24, availOut: 32, size: 112 } as const;
/** Only the first figure counts. */
const VERSION = "1.2.11";
/** The largest window, and a header and trailer as gzip has them. */
const WINDOW_BITS = 15 + 16;
const Z_NO_FLUSH = 0;
const Result = { Ok: 0, StreamEnd: 1, BufferError: -5 } as const;

/** What a member begins with. */
const MEMBER_MAGIC = [0x1f, 0x8b] as const;

type Library = NonNullable<ReturnType<typeof openOptional<typeof SYMBOLS>>>;

/** As in gzip, what follows the last member and is none does not matter. */
export class GzipStream implements StreamDecoder {
  readonly #library: Library;
  readonly #stream = new IoBuffer(Z_STREAM.size);
  #isBetween = false;

  private constructor(library: Library) {
    this.#library = library;
    const { address } = this.#stream;
    const version = cString(VERSION);
    const result = library.symbols.inflateInit2_(
      BigInt(address),
      WINDOW_BITS,
      version,
      Z_STREAM.size,
    );
    if (result !== Result.Ok) throw new RangeError("there is no memory for decompressing");
  }

  /** Undefined where the library is not installed. */
  static open(): GzipStream | undefined {
    const library = openOptional(LIBZ_NAMES, SYMBOLS);
    return library && new GzipStream(library);
  }

  decode(input: Span, output: Span, isLast: boolean): Step {
    if (this.#isBetween) return this.#findMember(input, isLast);
    const { view, address } = this.#stream;
    setUint64(view, Z_STREAM.nextIn, addressOfSpan(input));
    view.setUint32(Z_STREAM.availIn, input.lengthBytes, true);
    setUint64(view, Z_STREAM.nextOut, addressOfSpan(output));
    view.setUint32(Z_STREAM.availOut, output.lengthBytes, true);
    const result = this.#library.symbols.inflate(BigInt(address), Z_NO_FLUSH);
    const isDamaged = result !== Result.Ok && result !== Result.StreamEnd &&
      result !== Result.BufferError;
    if (isDamaged) throw new StreamError("it is damaged");
    this.#isBetween = result === Result.StreamEnd;
    const takenBytes = input.lengthBytes - view.getUint32(Z_STREAM.availIn, true);
    const filledBytes = output.lengthBytes - view.getUint32(Z_STREAM.availOut, true);
    return refuseStandstill({ takenBytes, filledBytes, isOver: false }, isLast);
  }

  /** A member has ended: is there another one? */
  #findMember(input: Span, isLast: boolean): Step {
    const [first, second] = bytesOfSpan(input);
    if (second === undefined && !isLast) return { takenBytes: 0, filledBytes: 0, isOver: false };
    const isMember = first === MEMBER_MAGIC[0] && second === MEMBER_MAGIC[1];
    if (isMember) {
      this.#library.symbols.inflateReset(BigInt(this.#stream.address));
      this.#isBetween = false;
    }
    return { takenBytes: 0, filledBytes: 0, isOver: !isMember };
  }

  [Symbol.dispose](): void {
    this.#library.symbols.inflateEnd(BigInt(this.#stream.address));
    this.#library.close();
  }
}
