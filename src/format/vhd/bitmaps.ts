/**
 * The bitmaps in front of blocks: which sectors of a differencing image are its own. Each sector of a bitmap
 * is about one piece of the disk.
 *
 * @module
 */
import { Level, type Updates } from "../../image/updates.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { SystemError } from "../../sys/errno.ts";
import type { Blockable } from "../kit/flat_table.ts";
import { bitRun, isBitSet } from "../kit/sector_bits.ts";
import { SectorMarks } from "../kit/sector_marks.ts";
import { TableCache } from "../kit/table_cache.ts";
import type { BlockHeader } from "./header.ts";
import { SECTOR_BYTES } from "./layout.ts";

const BITS = 8;
/** The highest bit of a byte is that of its first sector. */
const HIGHEST_FIRST = 7;
/** The cache is crowded if this fraction of it has been changed: 1/4. */
const CROWDED = 4;

/** The sectors of bitmaps that were used last, found by the numbers of their pieces of the disk. */
export class Bitmaps {
  readonly #file: ImageFile;
  readonly #cache: TableCache;
  readonly #marks: SectorMarks;
  /** By slot: where in the file what it holds is. */
  readonly #hostOffsets: Float64Array;
  /** So many changed ones are too many. */
  readonly #crowd: number;
  /** Whether there was no room for one since changed ones were taken last. */
  #isFull = false;

  /** @param cacheBytes upper bound of the memory, though there is always one */
  constructor(file: ImageFile, { bitmapBytes, entries }: BlockHeader, cacheBytes: number) {
    this.#file = file;
    const keys = entries * bitmapBytes / SECTOR_BYTES;
    this.#cache = new TableCache(SECTOR_BYTES, { cacheBytes, keys });
    this.#marks = new SectorMarks(this.#cache);
    const slots = Math.floor(this.#cache.buffer.size / SECTOR_BYTES);
    this.#hostOffsets = new Float64Array(slots);
    this.#crowd = slots < keys ? Math.ceil(slots / CROWDED) : Infinity;
  }

  /**
   * Position of the bits about a piece, which are at `hostOffset`: what is known of them at another place is
   * of a block that was given back.
   *
   * @returns -1 where `request` now says Blocked
   * @throws {SystemError} if they cannot be read
   */
  find(piece: number, hostOffset: number, request: Blockable): number {
    const known = this.#cache.find(piece);
    if (known >= 0 && this.#hostOffsets[known / SECTOR_BYTES] === hostOffset) return known;
    const position = known >= 0 ? known : this.#take(piece, hostOffset, request);
    if (position < 0) return position;
    const { buffer } = this.#cache;
    if (!request.attempt.read(this.#file, buffer, position, hostOffset, SECTOR_BYTES)) {
      request.setBlocked();
      return -1;
    }
    this.#hostOffsets[position / SECTOR_BYTES] = hostOffset;
    this.#cache.keep(piece, position);
    return position;
  }

  /** As {@link Bitmaps.find}, of bits that are known to be 0, wherever others may have been before. */
  provide(piece: number, hostOffset: number, request: Blockable): number {
    const known = this.#cache.find(piece);
    const position = known >= 0 ? known : this.#take(piece, hostOffset, request);
    if (position < 0) return position;
    this.#hostOffsets[position / SECTOR_BYTES] = hostOffset;
    this.#cache.buffer.bytes.fill(0, position, position + SECTOR_BYTES);
    this.#cache.keep(piece, position);
    return position;
  }

  /** Nothing can be read before what has been changed is written, if that is everywhere. */
  #take(piece: number, hostOffset: number, request: Blockable): number {
    const position = this.#cache.take(piece);
    if (position >= 0) {
      this.#hostOffsets[position / SECTOR_BYTES] = hostOffset;
      return position;
    }
    this.#isFull = true;
    request.attempt.wantsFlush = true;
    request.setBlocked();
    return position;
  }

  /** Whether the bit of a sector is set. */
  isSet(position: number, sector: number): boolean {
    return isBitSet(this.#cache.buffer.bytes, position, sector ^ HIGHEST_FIRST);
  }

  /** How many of `count` sectors from `sector` on have the same bit as that one. */
  runLength(position: number, sector: number, count: number): number {
    const run = { sector, count, flip: HIGHEST_FIRST };
    return bitRun(this.#cache.buffer.bytes, position, run);
  }

  /**
   * Sets the bits of `count` sectors from `sector` on. {@link Bitmaps.markDirty} or
   * {@link Bitmaps.writeThrough} has them be written.
   */
  set(position: number, sector: number, count: number): void {
    const { bytes } = this.#cache.buffer;
    for (let at = sector; at < sector + count; at++) {
      const byte = position + Math.floor(at / BITS);
      bytes[byte] = (bytes[byte] ?? 0) | 1 << HIGHEST_FIRST - at % BITS;
    }
  }

  /** Says that bits have been changed, which are to be written when what they show is durable. */
  markDirty(position: number): void {
    this.#marks.mark(position);
  }

  /**
   * Writes bits now, but for their being durable.
   *
   * @returns false if they have to be marked: they are on their way to the disk as they were before, or
   *   cannot be written
   */
  writeThrough(position: number): boolean {
    if (this.#marks.isTaken(position)) return false;
    const hostOffset = this.#hostOffsets[position / SECTOR_BYTES] ?? 0;
    try {
      this.#file.write(this.#cache.buffer, position, hostOffset, SECTOR_BYTES);
      return true;
    } catch (error) {
      if (error instanceof SystemError) return false;
      throw error;
    }
  }

  /** Whether nothing has to be written any more of the bits about a piece. */
  isWritten(piece: number): boolean {
    const position = this.#cache.find(piece);
    return position < 0 || !this.#marks.isMarked(position);
  }

  get hasDirty(): boolean {
    return this.#marks.dirtySlots > 0;
  }

  /** Whether so many have been changed that there may soon be no room for others. */
  get isCrowded(): boolean {
    return this.#isFull || this.#marks.dirtySlots >= this.#crowd;
  }

  /** Adds what has been changed to `updates`. */
  takeUpdates(updates: Updates): void {
    const { bytes } = this.#cache.buffer;
    this.#isFull = false;
    this.#marks.take((position) => {
      const hostOffset = this.#hostOffsets[position / SECTOR_BYTES] ?? 0;
      const changed = bytes.subarray(position, position + SECTOR_BYTES);
      updates.add(Level.Tables, this.#file, hostOffset, changed);
    });
  }

  /** Says whether what was taken last is durable. */
  updated(isDurable: boolean): void {
    this.#marks.updated(isDurable);
  }

  /** Forgets all but what has to be written, and gives the memory back. */
  clear(): void {
    this.#cache.clear();
  }
}
