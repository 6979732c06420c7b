/**
 * The pages of the file with tables of the image: the BAT, and the bits of its chunks.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import type { Blockable } from "../kit/flat_table.ts";
import { TableCache } from "../kit/table_cache.ts";
import { PAGE_BYTES } from "./layout.ts";

/** How many there are, and how much memory those may take that were used last. */
export interface PagesLimits {
  readonly pages: number;
  readonly cacheBytes: number;
}

export class MetadataPages {
  /** All pages in memory. */
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly #file: ImageFile;
  readonly #cache: TableCache;

  constructor(file: ImageFile, { pages, cacheBytes }: PagesLimits) {
    this.#file = file;
    this.#cache = new TableCache(PAGE_BYTES, { cacheBytes, keys: pages });
    this.view = this.#cache.buffer.view;
    this.bytes = this.#cache.buffer.bytes;
  }

  /**
   * Position in {@link MetadataPages.view} of the byte at `hostOffset` of the file.
   *
   * @returns -1 where `request` now says Blocked
   * @throws {SystemError} if it cannot be read
   */
  find(hostOffset: number, request: Blockable): number {
    const key = Math.floor(hostOffset / PAGE_BYTES);
    let position = this.#cache.find(key);
    if (position < 0) position = this.#load(key, request);
    return position < 0 ? position : position + hostOffset % PAGE_BYTES;
  }

  #load(key: number, request: Blockable): number {
    const position = this.#cache.take(key);
    const { buffer } = this.#cache;
    if (!request.attempt.read(this.#file, buffer, position, key * PAGE_BYTES, PAGE_BYTES)) {
      request.setBlocked();
      return -1;
    }
    this.#cache.keep(key, position);
    return position;
  }

  /** Forgets all of it, and gives the memory back. */
  clear(): void {
    this.#cache.clear();
  }
}
