/**
 * Pieces stored by LZFSE, block after block, each of which begins with four characters:
 *
 *     bvx-  bytes as they are: their number, and they
 *     bvxn  LZVN
 *     bvx1  literals and matches in codes whose frequencies are in the header
 *     bvx2  likewise, and the header is packed
 *     bvx$  the end
 *
 * (Apple's reference implementation, lzfse_internal.h.)
 *
 * @module
 */
import { MARGIN_BYTES } from "./backward_bits.ts";
import { conclude, type Decompressor } from "./decompressor.ts";
import { LzfseBlocks } from "./lzfse_block.ts";
import { type BlockHeader, readVersion1, readVersion2 } from "./lzfse_header.ts";
import { expandLzvn } from "./lzvn.ts";
import { IoBuffer } from "../sys/memory.ts";

const Mark = {
  plain: 0x2d787662,
  lzvn: 0x6e787662,
  version1: 0x31787662,
  version2: 0x32787662,
  end: 0x24787662,
} as const;
const MARK_BYTES = 4;
const PLAIN_HEADER_BYTES = 8;
const LZVN_HEADER_BYTES = 12;
/** Of one piece, and for each of so many bytes of it: many without content would keep everybody waiting. */
const MAX_BLOCKS = 1024;
const BYTES_OF_BLOCK = 256;

/** There is no checksum: what is damaged may be found, or not. */
export class LzfseDecoder implements Decompressor {
  readonly #blocks = new LzfseBlocks();
  /** What is stored, with a margin on either side. */
  #input = new IoBuffer(0);
  /** Where the next block begins there, and how much of the piece those in front of it have filled. */
  #at = 0;
  #filled = 0;

  decompress(stored: Uint8Array, piece: Uint8Array, leastBytes?: number): boolean {
    const neededBytes = stored.length + 2 * MARGIN_BYTES;
    if (this.#input.size < neededBytes) this.#input = new IoBuffer(neededBytes);
    this.#input.bytes.set(stored, MARGIN_BYTES);
    this.#at = MARGIN_BYTES;
    this.#filled = 0;
    const isWhole = this.#expand(MARGIN_BYTES + stored.length, piece);
    return isWhole && conclude(this.#filled, piece, leastBytes);
  }

  /** Whether there are blocks up to the one that is the end. */
  #expand(end: number, to: Uint8Array): boolean {
    const { view } = this.#input;
    const maxBlocks = MAX_BLOCKS + to.length / BYTES_OF_BLOCK;
    for (let block = 0; block < maxBlocks && this.#at + MARK_BYTES <= end; block++) {
      const mark = view.getUint32(this.#at, true);
      if (mark === Mark.end) return true;
      const isBlock = mark === Mark.plain || mark === Mark.lzvn
        ? this.#expandSized(mark, end, to)
        : this.#expandCoded(mark, end, to);
      if (!isBlock) return false;
    }
    return false;
  }

  /** A block that says how long it is. */
  #expandSized(mark: number, end: number, to: Uint8Array): boolean {
    const { bytes, view } = this.#input;
    const isPlain = mark === Mark.plain;
    const start = this.#at + (isPlain ? PLAIN_HEADER_BYTES : LZVN_HEADER_BYTES);
    if (start > end) return false;
    const lengthBytes = view.getUint32(this.#at + 4, true);
    const storedBytes = isPlain ? lengthBytes : view.getUint32(this.#at + 8, true);
    const filled = this.#filled;
    this.#at = start + storedBytes;
    this.#filled += lengthBytes;
    if (this.#at > end || this.#filled > to.length) return false;
    if (!isPlain) {
      const from = { from: bytes, start, end: this.#at };
      return expandLzvn({ ...from, to, filled, filledEnd: this.#filled });
    }
    to.set(bytes.subarray(start, this.#at), filled);
    return true;
  }

  /** A block whose content is as long as it turns out to be. */
  #expandCoded(mark: number, end: number, to: Uint8Array): boolean {
    const header = this.#headerAt(mark, end);
    if (header === undefined) return false;
    const start = this.#at + header.headerBytes;
    this.#at = start + header.literalBytes + header.matchBytes;
    if (this.#at > end) return false;
    this.#filled = this.#blocks.expand(header, { view: this.#input.view, start }, {
      bytes: to,
      filled: this.#filled,
    });
    return this.#filled >= 0;
  }

  #headerAt(mark: number, end: number): BlockHeader | undefined {
    const view = new DataView(this.#input.bytes.buffer, this.#input.bytes.byteOffset, end);
    switch (mark) {
      case Mark.version1:
        return readVersion1(view, this.#at);
      case Mark.version2:
        return readVersion2(view, this.#at);
      default:
        return undefined;
    }
  }

  [Symbol.dispose](): void {}
}
