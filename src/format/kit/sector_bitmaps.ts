/**
 * Bitmaps that lie with the blocks of an image, one with each: which sectors of a block are stored.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import type { Blockable } from "./flat_table.ts";
import { bitRun, isBitSet } from "./sector_bits.ts";
import { TableCache } from "./table_cache.ts";

const BITS = 8;

/** What bitmaps are like. */
export interface BitmapShape {
  /** How many bytes of one are read. */
  readonly bitmapBytes: number;
  /** How many there can be. */
  readonly bitmaps: number;
  /** Which bit of a byte is that of its first sector. */
  readonly firstBit: "highest" | "lowest";
}

/** The bitmaps that were used last, found by the numbers of their blocks. */
export class SectorBitmaps {
  readonly #file: ImageFile;
  readonly #cache: TableCache;
  /** Bits to be changed in a sector's number for that of its bit. */
  readonly #flip: number;

  /** @param cacheBytes upper bound of the memory, though there is always one bitmap */
  constructor(
    file: ImageFile,
    { bitmapBytes, bitmaps, firstBit }: BitmapShape,
    cacheBytes: number,
  ) {
    this.#file = file;
    this.#cache = new TableCache(bitmapBytes, { cacheBytes, keys: bitmaps });
    this.#flip = firstBit === "highest" ? BITS - 1 : 0;
  }

  /**
   * Position of the bitmap of a block that lies at `hostOffset`.
   *
   * @returns -1 where `request` now says Blocked
   * @throws {SystemError} if it cannot be read
   */
  find(block: number, hostOffset: number, request: Blockable): number {
    const known = this.#cache.find(block);
    if (known >= 0) return known;
    const position = this.#cache.take(block);
    const { buffer, slotBytes } = this.#cache;
    if (!request.attempt.read(this.#file, buffer, position, hostOffset, slotBytes)) {
      request.setBlocked();
      return -1;
    }
    this.#cache.keep(block, position);
    return position;
  }

  /** Whether the bit of a sector is set. */
  isSet(position: number, sector: number): boolean {
    return isBitSet(this.#cache.buffer.bytes, position, sector ^ this.#flip);
  }

  /** How many of `count` sectors from `sector` on have the same bit as that one. */
  runLength(position: number, sector: number, count: number): number {
    const run = { sector, count, flip: this.#flip };
    return bitRun(this.#cache.buffer.bytes, position, run);
  }

  /** Forgets all of them, and gives their memory back. */
  clear(): void {
    this.#cache.clear();
  }
}
