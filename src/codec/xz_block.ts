/**
 * Blocks of xz(1)'s streams, by liblzma: whatever filters they have.
 *
 * @module
 */
import { IoBuffer, setUint64, uint64 } from "../sys/memory.ts";
import { openOptional } from "../sys/optional_library.ts";
import { conclude, type Decompressor } from "./decompressor.ts";
import { LIBLZMA_NAMES } from "./liblzma.ts";

/** lzma/block.h, lzma/filter.h; the interface has been stable since version 5.0. */
const SYMBOLS = {
  lzma_block_header_decode: {
    parameters: [
      "usize", /* lzma_block * */
      "pointer", /* const lzma_allocator * */
      "buffer", /* const uint8_t *in */
    ],
    result: "i32",
  },
  lzma_block_buffer_decode: {
    parameters: [
      "usize", /* lzma_block * */
      "pointer", /* const lzma_allocator * */
      "buffer", /* const uint8_t *in */
      "usize", /* size_t *in_pos */
      "usize", /* size_t in_size */
      "buffer", /* uint8_t *out */
      "usize", /* size_t *out_pos */
      "usize", /* size_t out_size */
    ],
    result: "i32",
  },
  lzma_raw_decoder_memusage: { parameters: ["usize" /* const lzma_filter * */], result: "u64" },
} as const;
const LIBC_SYMBOLS = { free: { parameters: ["usize" /* void * */], result: "void" } } as const;

const LZMA_OK = 0;
/** As in liblzma.ts. */
const MAX_MEMORY_BYTES = 256n * 1024n * 1024n;

/** struct lzma_block, but for what stays 0. */
const LZMA_BLOCK = { headerSize: 4, check: 8, filters: 32, size: 256 } as const;
/** struct lzma_filter, and how many a block has at most, with the one that ends them. */
const LZMA_FILTER = { options: 8, size: 16, most: 5 } as const;
/** The first byte of a block is the size of its header, in fours, less one. */
const HEADER_UNIT_BYTES = 4;

/** Numbers of checks (The .xz File Format, 2.1.1.2). */
export const XzCheck = { None: 0, Crc32: 1, Crc64: 4, Sha256: 10 } as const;
export type XzCheck = typeof XzCheck[keyof typeof XzCheck];

type Library = NonNullable<ReturnType<typeof openOptional<typeof SYMBOLS>>>;
type Allocator = NonNullable<ReturnType<typeof openOptional<typeof LIBC_SYMBOLS>>>;

/** A block has to be whole, and its check right; it may be followed by anything. */
export class XzBlockDecoder implements Decompressor {
  readonly #library: Library;
  readonly #allocator: Allocator;
  readonly #check: XzCheck;
  readonly #block = new IoBuffer(LZMA_BLOCK.size);
  readonly #filters = new IoBuffer(LZMA_FILTER.size * LZMA_FILTER.most);
  /** Where the input has been read to, and the output written. */
  readonly #positions = new IoBuffer(16);

  private constructor(library: Library, allocator: Allocator, check: XzCheck) {
    this.#library = library;
    this.#allocator = allocator;
    this.#check = check;
  }

  /**
   * Undefined where the library is not installed.
   *
   * @param check what blocks have
   */
  static open(check: XzCheck): XzBlockDecoder | undefined {
    const library = openOptional(LIBLZMA_NAMES, SYMBOLS);
    const allocator = openOptional(["libc.so.6"], LIBC_SYMBOLS);
    if (library === undefined || allocator === undefined) return undefined;
    return new XzBlockDecoder(library, allocator, check);
  }

  decompress(stored: Uint8Array, piece: Uint8Array, leastBytes?: number): boolean {
    const [size = 0] = stored;
    const headerBytes = (size + 1) * HEADER_UNIT_BYTES;
    if (size === 0 || headerBytes > stored.length) return false;
    this.#prepare(headerBytes);
    const { lzma_block_header_decode: decodeHeader } = this.#library.symbols;
    const input = stored as Uint8Array<ArrayBuffer>;
    if (decodeHeader(BigInt(this.#block.address), null, input) !== LZMA_OK) return false;
    try {
      return this.#fitsMemory() && this.#decode(input, headerBytes, piece) &&
        conclude(uint64(this.#positions.view, 8), piece, leastBytes);
    } finally {
      this.#freeFilters();
    }
  }

  #prepare(headerBytes: number): void {
    const { bytes, view } = this.#block;
    bytes.fill(0);
    this.#filters.bytes.fill(0);
    view.setUint32(LZMA_BLOCK.headerSize, headerBytes, true);
    view.setUint32(LZMA_BLOCK.check, this.#check, true);
    setUint64(view, LZMA_BLOCK.filters, this.#filters.address);
  }

  #fitsMemory(): boolean {
    const filters = BigInt(this.#filters.address);
    return this.#library.symbols.lzma_raw_decoder_memusage(filters) <= MAX_MEMORY_BYTES;
  }

  #decode(stored: Uint8Array<ArrayBuffer>, headerBytes: number, piece: Uint8Array): boolean {
    const { view, address } = this.#positions;
    setUint64(view, 0, headerBytes);
    setUint64(view, 8, 0);
    return this.#library.symbols.lzma_block_buffer_decode(
      BigInt(this.#block.address),
      null,
      stored,
      BigInt(address),
      BigInt(stored.length),
      piece as Uint8Array<ArrayBuffer>,
      BigInt(address + 8),
      BigInt(piece.length),
    ) === LZMA_OK;
  }

  /** What filters need to know was allocated for them. */
  #freeFilters(): void {
    const { view } = this.#filters;
    for (let at = LZMA_FILTER.options; at < this.#filters.size; at += LZMA_FILTER.size) {
      const options = view.getBigUint64(at, true);
      if (options !== 0n) this.#allocator.symbols.free(options);
    }
  }

  [Symbol.dispose](): void {
    this.#library.close();
    this.#allocator.close();
  }
}
