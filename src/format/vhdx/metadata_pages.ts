/**
 * The pages of the file with tables of the image: the BAT, and the bits of its chunks.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import type { Blockable } from "../kit/flat_table.ts";
import { SectorMarks } from "../kit/sector_marks.ts";
import { TableCache } from "../kit/table_cache.ts";
import { PAGE_BYTES } from "./layout.ts";

/** As many are in memory in any case: an allocation changes three. */
const FEWEST_PAGES = 16;

/** How many there are, and how much memory those may take that were used last. */
export interface PagesLimits {
  readonly pages: number;
  readonly cacheBytes: number;
}

/** A page that has been changed. */
export interface ChangedPage {
  readonly hostOffset: number;
  readonly bytes: Uint8Array;
}

export class MetadataPages {
  /** All pages in memory. */
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly #file: ImageFile;
  readonly #cache: TableCache;
  readonly #marks: SectorMarks;
  /** Whether there was no room for a page since changed ones were taken last. */
  #isFull = false;

  constructor(file: ImageFile, { pages, cacheBytes }: PagesLimits) {
    this.#file = file;
    const limits = { cacheBytes: Math.max(cacheBytes, FEWEST_PAGES * PAGE_BYTES), keys: pages };
    this.#cache = new TableCache(PAGE_BYTES, limits);
    this.#marks = new SectorMarks(this.#cache);
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

  /** As {@link MetadataPages.find}, of a page that is new, and has zeros. */
  findNew(hostOffset: number, request: Blockable): number {
    const key = Math.floor(hostOffset / PAGE_BYTES);
    const known = this.#cache.find(key);
    const position = known < 0 ? this.#take(key, request) : known;
    if (position < 0) return position;
    this.bytes.fill(0, position, position + PAGE_BYTES);
    this.#cache.keep(key, position);
    return position + hostOffset % PAGE_BYTES;
  }

  #take(key: number, request: Blockable): number {
    const position = this.#cache.take(key);
    if (position >= 0) return position;
    // Nothing can be read before what has been changed is written.
    this.#isFull = true;
    request.attempt.wantsFlush = true;
    request.setBlocked();
    return -1;
  }

  #load(key: number, request: Blockable): number {
    const position = this.#take(key, request);
    if (position < 0) return position;
    const { buffer } = this.#cache;
    if (!request.attempt.read(this.#file, buffer, position, key * PAGE_BYTES, PAGE_BYTES)) {
      request.setBlocked();
      return -1;
    }
    this.#cache.keep(key, position);
    return position;
  }

  /** Has the page with `position` stay where it is until {@link MetadataPages.unpin}. */
  pin(position: number): void {
    this.#cache.pin(position - position % PAGE_BYTES);
  }

  unpin(position: number): void {
    this.#cache.unpin(position - position % PAGE_BYTES);
  }

  /** Says that the byte at `position` has been changed, and has to be written. */
  markDirty(position: number): void {
    this.#marks.mark(position);
  }

  /** How many pages have been changed, be they on their way to the disk or not. */
  get unwrittenPages(): number {
    return this.#cache.dirtySlots;
  }

  /** How many pages have been changed since they were taken last. */
  get dirtyPages(): number {
    return this.#marks.dirtySlots;
  }

  /** Whether there was no room for a page. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Whether something of what has been changed is not on the disk yet. */
  get isUnwritten(): boolean {
    return this.unwrittenPages > 0;
  }

  /** All pages that have been changed: where each belongs, and what it is. */
  take(): ChangedPage[] {
    const pages: ChangedPage[] = [];
    this.#isFull = false;
    this.#marks.take((position) => {
      const hostOffset = this.#cache.keyAt(position) * PAGE_BYTES;
      pages.push({ hostOffset, bytes: this.bytes.subarray(position, position + PAGE_BYTES) });
    });
    return pages;
  }

  /** Says whether what was taken last is durable; if not, it has to be written again. */
  updated(isDurable: boolean): void {
    this.#marks.updated(isDurable);
  }

  /** Forgets all but what has to be written, and gives the memory back. */
  clear(): void {
    this.#cache.clear();
  }
}
