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
import { Level, type Updates } from "../../image/updates.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { SystemError } from "../../sys/errno.ts";
import { SECTOR_BYTES, SectorMarks } from "./sector_marks.ts";
import { TableCache } from "./table_cache.ts";

const SLICE_BYTES = 4096;
/** The cache is crowded if this fraction of it has been changed: 1/4. */
const CROWDED = 4;

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
  readonly #marks: SectorMarks;
  /** So many changed slices are too many. */
  readonly #crowd: number;
  /** Whether there was no room for a slice since changed ones were taken last. */
  #isFull = false;

  /** @param cacheBytes upper bound of the memory, though there is always one slice */
  constructor(file: ImageFile, shape: TableShape, cacheBytes: number) {
    this.#file = file;
    this.#shape = shape;
    this.#entriesInSlice = SLICE_BYTES / shape.entryBytes;
    const keys = Math.ceil(shape.entries / this.#entriesInSlice);
    this.#cache = new TableCache(SLICE_BYTES, { cacheBytes, keys });
    this.view = this.#cache.buffer.view;
    this.#marks = new SectorMarks(this.#cache);
    const slots = Math.floor(this.#cache.buffer.size / SLICE_BYTES);
    this.#crowd = slots < keys ? Math.ceil(slots / CROWDED) : Infinity;
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
    if (position < 0) return this.#blockedByChanges(request);
    const { buffer } = this.#cache;
    if (!request.attempt.read(this.#file, buffer, position, hostOffset + start, lengthBytes)) {
      request.setBlocked();
      return -1;
    }
    this.#cache.keep(slice, position);
    return position;
  }

  /** Nothing can be read before what has been changed is written. */
  #blockedByChanges(request: Blockable): number {
    this.#isFull = true;
    request.attempt.wantsFlush = true;
    request.setBlocked();
    return -1;
  }

  /** Says that the entry at `position` of {@link FlatTable.view} has been changed, and has to be written. */
  markDirty(position: number): void {
    this.#marks.mark(position);
  }

  /**
   * Writes `count` entries, from `position` of {@link FlatTable.view} on, now, but for their being durable.
   *
   * @returns false if they have to be marked: some are in a sector that is on its way to the disk as it was
   *   before, or they cannot be written
   */
  writeThrough(position: number, count: number): boolean {
    const lengthBytes = count * this.#shape.entryBytes;
    const last = position + lengthBytes - 1;
    for (let at = position; at < last; at += SECTOR_BYTES) {
      if (this.#marks.isTaken(at)) return false;
    }
    if (this.#marks.isTaken(last)) return false;
    const inSlice = position % SLICE_BYTES;
    const slice = this.#cache.keyAt(position - inSlice) * SLICE_BYTES;
    try {
      const at = this.#shape.hostOffset + slice + inSlice;
      this.#file.write(this.#cache.buffer, position, at, lengthBytes);
      return true;
    } catch (error) {
      if (error instanceof SystemError) return false;
      throw error;
    }
  }

  /** Whether nothing has to be written any more of `count` entries from number `index` on. */
  areWritten(index: number, count: number): boolean {
    for (let at = index; at < index + count; at++) {
      const slot = this.#cache.find(Math.floor(at / this.#entriesInSlice));
      const position = slot + at % this.#entriesInSlice * this.#shape.entryBytes;
      if (slot >= 0 && this.#marks.isMarked(position)) return false;
    }
    return true;
  }

  get hasDirty(): boolean {
    return this.#marks.dirtySlots > 0;
  }

  /** Whether so many slices have been changed that there may soon be no room for others. */
  get isCrowded(): boolean {
    return this.#isFull || this.#marks.dirtySlots >= this.#crowd;
  }

  /** Adds the sectors that have been changed to `updates`, and nothing of what lies behind the table. */
  takeUpdates(updates: Updates): void {
    const { bytes } = this.#cache.buffer;
    const { hostOffset, entries, entryBytes } = this.#shape;
    this.#isFull = false;
    this.#marks.take((position, sectors) => {
      const slice = this.#cache.keyAt(position) * SLICE_BYTES;
      for (let start = 0; start < SLICE_BYTES; start += SECTOR_BYTES) {
        if ((sectors >>> start / SECTOR_BYTES & 1) === 0) continue;
        const count = Math.min(SECTOR_BYTES, entries * entryBytes - slice - start);
        const changed = bytes.subarray(position + start, position + start + count);
        updates.add(Level.Tables, this.#file, hostOffset + slice + start, changed);
      }
    });
  }

  /** Says whether what was taken last is durable. */
  updated(isDurable: boolean): void {
    this.#marks.updated(isDurable);
  }

  /** Forgets all of it but what has to be written, and gives the memory back. */
  clear(): void {
    this.#cache.clear();
  }
}
