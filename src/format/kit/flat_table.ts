/**
 * One table of equally large entries at a fixed place of an image, too large perhaps to be in memory: it
 * is read and cached in slices.
 *
 *     hostOffset                                        hostOffset + entries * entryBytes
 *     +---------------+---------------+-- ... --+--------+
 *     | slice 0       | slice 1       |         | slice n|
 *     +---------------+---------------+-- ... --+--------+
 *
 * @module
 */
import type { Mapping } from "../../image/mapping.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { TableCache } from "./table_cache.ts";

const SLICE_BYTES = 4096;

/** Where a table is, and how large. */
export interface TableShape {
  readonly hostOffset: number;
  readonly entries: number;
  /** A power of two. */
  readonly entryBytes: number;
}

/** What an entry is read for. */
export type Blockable = Pick<Mapping, "attempt" | "setBlocked">;

/** Finds entries; the caller knows what they mean, and that their numbers are in the table. */
export class FlatTable {
  /** All slices in memory. */
  readonly view: DataView;
  readonly #file: ImageFile;
  readonly #cache: TableCache;
  readonly #shape: TableShape;
  readonly #entriesInSlice: number;

  /** @param cacheBytes upper bound of the memory, though there is always one slice */
  constructor(file: ImageFile, shape: TableShape, cacheBytes: number) {
    this.#file = file;
    this.#shape = shape;
    this.#entriesInSlice = SLICE_BYTES / shape.entryBytes;
    const keys = Math.ceil(shape.entries / this.#entriesInSlice);
    this.#cache = new TableCache(SLICE_BYTES, { cacheBytes, keys });
    this.view = this.#cache.buffer.view;
  }

  /**
   * Position of entry number `index` in {@link FlatTable.view}.
   *
   * @returns -1 where `request` now says Blocked
   * @throws {SystemError} if it cannot be read
   */
  find(index: number, request: Blockable): number {
    const slice = Math.floor(index / this.#entriesInSlice);
    let position = this.#cache.find(slice);
    if (position < 0) position = this.#load(slice, request);
    if (position < 0) return position;
    return position + index % this.#entriesInSlice * this.#shape.entryBytes;
  }

  /** How many entries from number `index` on lie behind each other in {@link FlatTable.view}. */
  inSlice(index: number): number {
    const inSlice = this.#entriesInSlice - index % this.#entriesInSlice;
    return Math.min(inSlice, this.#shape.entries - index);
  }

  #load(slice: number, request: Blockable): number {
    const { hostOffset, entries, entryBytes } = this.#shape;
    const start = slice * SLICE_BYTES;
    const lengthBytes = Math.min(SLICE_BYTES, entries * entryBytes - start);
    const position = this.#cache.take(slice);
    const { buffer } = this.#cache;
    if (!request.attempt.read(this.#file, buffer, position, hostOffset + start, lengthBytes)) {
      request.setBlocked();
      return -1;
    }
    this.#cache.keep(slice, position);
    return position;
  }

  /** Forgets all of it, and gives the memory back. */
  clear(): void {
    this.#cache.clear();
  }
}
