/**
 * Which sectors of cached tables have to be written.
 *
 *     clean ──mark──> dirty ──take──> taken ──updated──> clean
 *                       ^               │
 *                       └────failed─────┘   (and while taken, a sector can become dirty once more)
 *
 * @module
 */
import type { TableCache } from "./table_cache.ts";

export const SECTOR_BYTES = 512;
/** Sectors of a slot at most: as many as a mark has bits. */
const MAX_SECTORS = 8;

/** Marks for the slots of one cache; what has any stays in the cache. */
export class SectorMarks {
  readonly #cache: TableCache;
  readonly #dirty: Uint8Array;
  readonly #taken: Uint8Array;
  /** How many slots are dirty. */
  #dirtySlots = 0;

  /** @throws {RangeError} if slots are too large */
  constructor(cache: TableCache) {
    const { slotBytes, buffer } = cache;
    if (slotBytes > MAX_SECTORS * SECTOR_BYTES) throw new RangeError("slots of too many sectors");
    this.#cache = cache;
    const slots = Math.floor(buffer.size / slotBytes);
    this.#dirty = new Uint8Array(slots);
    this.#taken = new Uint8Array(slots);
  }

  get dirtySlots(): number {
    return this.#dirtySlots;
  }

  /** Says that the byte at `position` of the cache's buffer has been changed. */
  mark(position: number): void {
    const slot = Math.floor(position / this.#cache.slotBytes);
    const start = slot * this.#cache.slotBytes;
    const before = this.#dirty[slot] ?? 0;
    const after = before | 1 << Math.floor((position - start) / SECTOR_BYTES);
    if (after === before) return;
    if (before === 0) this.#dirtySlots++;
    this.#dirty[slot] = after;
    this.#cache.markDirty(start);
  }

  /** Whether a copy of the sector at `position` of the cache's buffer has been taken, but is not on the disk. */
  isTaken(position: number): boolean {
    const slot = Math.floor(position / this.#cache.slotBytes);
    const sector = Math.floor((position - slot * this.#cache.slotBytes) / SECTOR_BYTES);
    return ((this.#taken[slot] ?? 0) >>> sector & 1) !== 0;
  }

  /** Whether the sector at `position` of the cache's buffer is on its way to the disk, or has to be written. */
  isMarked(position: number): boolean {
    const slot = Math.floor(position / this.#cache.slotBytes);
    const sector = Math.floor((position - slot * this.#cache.slotBytes) / SECTOR_BYTES);
    return (((this.#dirty[slot] ?? 0) | (this.#taken[slot] ?? 0)) >>> sector & 1) !== 0;
  }

  /**
   * Takes all that is dirty.
   *
   * @param visit is told of each slot: its position, and its dirty sectors as bits
   */
  take(visit: (position: number, sectors: number) => void): void {
    const { slotBytes } = this.#cache;
    let position = this.#cache.nextDirty(0);
    for (; position >= 0; position = this.#cache.nextDirty(position + slotBytes)) {
      const slot = position / slotBytes;
      const sectors = this.#dirty[slot] ?? 0;
      if (sectors !== 0) visit(position, sectors);
      this.#taken[slot] = sectors;
      this.#dirty[slot] = 0;
    }
    this.#dirtySlots = 0;
  }

  /** Says whether what was taken last is on the disk; if not, it is dirty again. */
  updated(isDurable: boolean): void {
    const { slotBytes } = this.#cache;
    let position = this.#cache.nextDirty(0);
    for (; position >= 0; position = this.#cache.nextDirty(position + slotBytes)) {
      const slot = position / slotBytes;
      if (!isDurable) this.#markAgain(slot);
      this.#taken[slot] = 0;
      if (this.#dirty[slot] === 0) this.#cache.markClean(position);
    }
  }

  #markAgain(slot: number): void {
    const [dirty, taken] = [this.#dirty[slot] ?? 0, this.#taken[slot] ?? 0];
    if (dirty === 0 && taken !== 0) this.#dirtySlots++;
    this.#dirty[slot] = dirty | taken;
  }
}
