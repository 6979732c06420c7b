/**
 * The bitmaps in front of extents: which of their sectors are stored.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import type { Blockable } from "../kit/flat_table.ts";
import { bitRun, isBitSet } from "../kit/sector_bits.ts";
import { TableCache } from "../kit/table_cache.ts";
import type { Header } from "./header.ts";

/** The bitmaps that were used last, found by the numbers of their extents. */
export class Bitmaps {
  readonly #file: ImageFile;
  readonly #cache: TableCache;

  /** @param cacheBytes upper bound of the memory, though there is always one bitmap */
  constructor(file: ImageFile, { bitmapBytes, catalogEntries }: Header, cacheBytes: number) {
    this.#file = file;
    this.#cache = new TableCache(bitmapBytes, { cacheBytes, keys: catalogEntries });
  }

  /**
   * Position of the bitmap of an extent that lies at `hostOffset`.
   *
   * @returns -1 where `request` now says Blocked
   * @throws {SystemError} if it cannot be read
   */
  find(extent: number, hostOffset: number, request: Blockable): number {
    const known = this.#cache.find(extent);
    if (known >= 0) return known;
    const position = this.#cache.take(extent);
    const { buffer, slotBytes } = this.#cache;
    if (!request.attempt.read(this.#file, buffer, position, hostOffset, slotBytes)) {
      request.setBlocked();
      return -1;
    }
    this.#cache.keep(extent, position);
    return position;
  }

  /** Whether the bit of a sector is set. */
  isSet(position: number, sector: number): boolean {
    return isBitSet(this.#cache.buffer.bytes, position, sector);
  }

  /** How many of `count` sectors from `sector` on have the same bit as that one. */
  runLength(position: number, sector: number, count: number): number {
    return bitRun(this.#cache.buffer.bytes, position, { sector, count });
  }

  /** Forgets all of them, and gives their memory back. */
  clear(): void {
    this.#cache.clear();
  }
}
