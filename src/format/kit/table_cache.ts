/**
 * A cache of equally large pieces of an image's metadata, for one thread.
 *
 *     empty ──take──> being filled ──keep──> clean ──markDirty──> dirty
 *       ^                                     │ ^                   │
 *       └──────────take for another key───────┘ └────markClean──────┘
 *
 * What is dirty or pinned stays where it is: only clean slots are taken for other keys.
 *
 * @module
 */
import { slotCount } from "../../image/cache_sizes.ts";
import { IoBuffer } from "../../sys/memory.ts";

const WAYS = 8;
const EMPTY = -1;
const NONE = -1;
/** What keeps a slot from being taken. */
const Mark = { Dirty: 1, Pinned: 2 } as const;
/** Less is not worth whole pages. */
const MIN_RELEASED_BYTES = 65536;

/**
 * A set-associative cache with least-recently-used replacement. Its slots lie in one buffer whose
 * memory is only committed when a slot is first filled; finding and replacing allocate nothing.
 *
 * Every key has a home slot, where it mostly is, and its neighbours' homes are the other slots of
 * its set. As long as no key reaches the number of slots, every key is at home.
 */
export class TableCache {
  /** All slots; {@link TableCache.find} and {@link TableCache.take} give positions in it. */
  readonly buffer: IoBuffer;
  readonly slotBytes: number;

  readonly #ways: number;
  readonly #slotMask: number;
  readonly #keys: Float64Array;
  readonly #lastUse: Float64Array;
  /** Bits of {@link Mark} for each slot. */
  readonly #marks: Uint8Array;
  #dirtySlots = 0;
  /** No slot from this one on has ever held anything. */
  #usedSlots = 0;
  #clock = 0;
  #lastKey = EMPTY;
  #lastPosition = 0;

  /**
   * @param slotBytes size of a slot
   * @param limits `cacheBytes`: upper bound of the memory, though there is always one slot;
   *   `keys`: how many different keys there can be, which bounds it, too
   */
  constructor(slotBytes: number, limits: { cacheBytes: number; keys: number }) {
    const { cacheBytes, keys } = limits;
    const slots = slotCount({ slotBytes, cacheBytes, pieces: keys });
    this.slotBytes = slotBytes;
    this.#ways = Math.min(WAYS, slots);
    this.#slotMask = slots - 1;
    this.#keys = new Float64Array(slots).fill(EMPTY);
    this.#lastUse = new Float64Array(slots);
    this.#marks = new Uint8Array(slots);
    const sizeBytes = slots * slotBytes;
    this.buffer = sizeBytes < MIN_RELEASED_BYTES
      ? new IoBuffer(sizeBytes)
      : IoBuffer.ofPages(sizeBytes);
  }

  /** Position of the slot that holds `key` (an integer from 0 on), or -1. */
  find(key: number): number {
    if (key === this.#lastKey) return this.#lastPosition;
    const home = this.#homeOf(key);
    if (this.#keys[home] === key) return this.#use(key, home);
    return this.#findInSet(key, home);
  }

  /**
   * Empties the slot that `key` shall have, and returns its position. It counts as empty until
   * {@link TableCache.keep} is told that it has been filled.
   *
   * @returns -1 if all slots it could have are dirty or pinned
   */
  take(key: number): number {
    const slot = this.#leastRecentlyUsed(this.#homeOf(key));
    if (slot === NONE) return NONE;
    this.#keys[slot] = EMPTY;
    this.#lastKey = EMPTY;
    return slot * this.slotBytes;
  }

  /** Says that the slot at `position` now holds `key`. */
  keep(key: number, position: number): void {
    const slot = position / this.slotBytes;
    this.#keys[slot] = key;
    this.#usedSlots = Math.max(this.#usedSlots, slot + 1);
    this.#use(key, slot);
  }

  /** How many slots have to be written. */
  get dirtySlots(): number {
    return this.#dirtySlots;
  }

  /** Says that what the slot at `position` holds has been changed, and has to be written. */
  markDirty(position: number): void {
    const slot = position / this.slotBytes;
    if (this.#hasMark(slot, Mark.Dirty)) return;
    this.#setMark(slot, Mark.Dirty);
    this.#dirtySlots++;
  }

  /** Says that what the slot at `position` holds has been written. */
  markClean(position: number): void {
    const slot = position / this.slotBytes;
    if (!this.#hasMark(slot, Mark.Dirty)) return;
    this.#clearMark(slot, Mark.Dirty);
    this.#dirtySlots--;
  }

  /** Has the slot at `position` stay until {@link TableCache.unpin}, though it is clean or being filled. */
  pin(position: number): void {
    this.#setMark(position / this.slotBytes, Mark.Pinned);
  }

  unpin(position: number): void {
    this.#clearMark(position / this.slotBytes, Mark.Pinned);
  }

  /** Position of the first dirty slot from `position` on; -1 if there is none. */
  nextDirty(position: number): number {
    if (this.#dirtySlots === 0) return NONE;
    for (let slot = position / this.slotBytes; slot < this.#usedSlots; slot++) {
      if (this.#hasMark(slot, Mark.Dirty)) return slot * this.slotBytes;
    }
    return NONE;
  }

  /** What the slot at `position` holds. */
  keyAt(position: number): number {
    return this.#keys[position / this.slotBytes] ?? EMPTY;
  }

  /** Forgets everything that is neither dirty nor pinned; if that is all, gives its memory back. */
  clear(): void {
    this.#lastKey = EMPTY;
    let kept = 0;
    for (let slot = 0; slot < this.#usedSlots; slot++) {
      if (this.#marks[slot] === 0) this.#keys[slot] = EMPTY;
      else kept++;
    }
    if (kept === 0) this.buffer.releasePages();
  }

  #hasMark(slot: number, mark: number): boolean {
    return ((this.#marks[slot] ?? 0) & mark) !== 0;
  }

  #setMark(slot: number, mark: number): void {
    this.#usedSlots = Math.max(this.#usedSlots, slot + 1);
    this.#marks[slot] = (this.#marks[slot] ?? 0) | mark;
  }

  #clearMark(slot: number, mark: number): void {
    this.#marks[slot] = (this.#marks[slot] ?? 0) & ~mark;
  }

  // `&` takes an integer of any size modulo 2^32
  #homeOf(key: number): number {
    return key & this.#slotMask;
  }

  #findInSet(key: number, home: number): number {
    const first = home - home % this.#ways;
    for (let slot = first; slot < first + this.#ways; slot++) {
      if (this.#keys[slot] === key) return this.#use(key, slot);
    }
    return -1;
  }

  #use(key: number, slot: number): number {
    this.#lastUse[slot] = ++this.#clock;
    this.#lastKey = key;
    this.#lastPosition = slot * this.slotBytes;
    return this.#lastPosition;
  }

  /** Of a set, the slot that is empty or was used longest ago; -1 if none may be taken. */
  #leastRecentlyUsed(home: number): number {
    if (this.#keys[home] === EMPTY && this.#marks[home] === 0) return home;
    const first = home - home % this.#ways;
    let oldest = NONE;
    for (let slot = first; slot < first + this.#ways; slot++) {
      if (this.#marks[slot] !== 0) continue;
      if (this.#keys[slot] === EMPTY) return slot;
      if (oldest === NONE || (this.#lastUse[slot] ?? 0) < (this.#lastUse[oldest] ?? 0)) {
        oldest = slot;
      }
    }
    return oldest;
  }
}
