/**
 * The runtime's decompressors, loaded when the first image needs them: most never do.
 *
 * The public functions of `node:zlib` make a stream and an output buffer for every call, which takes
 * as long again as decompressing a cluster, and leaves a cluster of garbage behind. Here one stream
 * is used again and again, by the two calls that `node:zlib` itself makes of it.
 *
 * @module
 */
import process from "node:process";

/** The runtime's own handle of a stream (node: lib/zlib.js, `processChunkSync`). */
interface Handle {
  reset(): void;
  close(): void;
  /** Afterwards the state says how much room is left in `to`, and how much input. */
  writeSync(
    flush: number,
    from: Uint8Array,
    fromOffset: number,
    fromBytes: number,
    to: Uint8Array,
    toOffset: number,
    toBytes: number,
  ): void;
  /** Called in the midst of a write that fails. */
  onerror: () => void;
}

interface Stream {
  readonly _handle?: Partial<Handle>;
  /** Room left in the output, bytes left of the input. */
  readonly _writeState?: Uint32Array;
}

/** Z_SYNC_FLUSH: what is there comes out, and a stream need not be at its end. */
const FLUSH = 2;

/** Raw deflate, deflate with header and checksum, Zstandard. */
type StreamKind = "deflate" | "zlib" | "zstd";

/** A decompressor that can be used for any number of independent inputs. */
export class ReusableStream implements Disposable {
  readonly #stream: Stream;
  readonly #handle: Handle;
  readonly #state: Uint32Array;
  #failed = false;
  #taken = 0;

  constructor(kind: StreamKind) {
    this.#stream = createStream(kind) as Stream;
    const { _handle: handle, _writeState: state } = this.#stream;
    if (handle?.reset === undefined || handle.writeSync === undefined || state === undefined) {
      throw new Error("this version of the runtime has no reusable decompressors");
    }
    this.#handle = handle as Handle;
    this.#state = state;
    this.#handle.onerror = () => this.#failed = true;
  }

  /**
   * Decompresses all of `input`, as far as it fits into `output`.
   *
   * @returns bytes of `output` that have been filled; -1 if the input is damaged before it is full,
   *   or in what the library has to look at to know that it is
   */
  decompress(input: Uint8Array, output: Uint8Array): number {
    this.#handle.reset();
    this.#failed = false;
    this.#taken = 0;
    return this.goOn(input, output);
  }

  /** How many bytes of the input have been used. */
  get taken(): number {
    return this.#taken;
  }

  /** As {@link ReusableStream.decompress}, with what that has left of the same `input`. */
  goOn(input: Uint8Array, output: Uint8Array): number {
    let filled = 0;
    while (filled < output.length && !this.#failed) {
      const room = output.length - filled;
      const rest = input.length - this.#taken;
      if (!this.#write(input, rest, output, room)) return -1;
      const [roomLeft = 0, restLeft = 0] = this.#state;
      filled += room - roomLeft;
      this.#taken += rest - restLeft;
      if (restLeft === 0 || restLeft === rest && roomLeft === room) break;
    }
    return this.#failed ? -1 : filled;
  }

  /** Some streams throw about damage, others tell. */
  #write(input: Uint8Array, rest: number, output: Uint8Array, room: number): boolean {
    const filled = output.length - room;
    try {
      this.#handle.writeSync(FLUSH, input, this.#taken, rest, output, filled, room);
      return true;
    } catch {
      return false; // the library's own words would not help anybody
    }
  }

  /** Frees what the library has reserved, sooner than a collector of garbage would. */
  [Symbol.dispose](): void {
    this.#handle.close();
  }
}

function createStream(kind: StreamKind): unknown {
  const zlib = process.getBuiltinModule("node:zlib");
  switch (kind) {
    case "deflate":
      return zlib.createInflateRaw();
    case "zlib":
      return zlib.createInflate();
    case "zstd":
      return zlib.createZstdDecompress();
  }
}
