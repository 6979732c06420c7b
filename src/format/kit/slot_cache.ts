/**
 * A cache of equally large pieces of an image's metadata, for one thread.
 *
 * @module
 */
import { slotCount } from "../../image/cache_sizes.ts";
import { IoBuffer } from "../../sys/memory.ts";

const WAYS = 8;
const EMPTY = -1;
/** Less is not worth whole pages. */
const MIN_RELEASED_BYTES = 65536;

/**
 * A set-associative cache with least-recently-used replacement. Its slots lie in one buffer whose
 * memory is only committed when a slot is first filled; finding and replacing allocate nothing.
 *
 * Every key has a home slot, where it mostly is, and its neighbours' homes are the other slots of
 * its set. As long as no key reaches the number of slots, every key is at home.
 */
export class SlotCache {
  /** All slots; {@link SlotCache.find} and {@link SlotCache.take} give positions in it. */
  readonly buffer: IoBuffer;
  readonly slotBytes: number;

  readonly #ways: number;
  readonly #slotMask: number;
  readonly #keys: Float64Array;
  readonly #lastUse: Float64Array;
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
   * {@link SlotCache.keep} is told that it has been filled.
   */
  take(key: number): number {
    const slot = this.#leastRecentlyUsed(this.#homeOf(key));
    this.#keys[slot] = EMPTY;
    this.#lastKey = EMPTY;
    return slot * this.slotBytes;
  }

  /** Says that the slot at `position` now holds `key`. */
  keep(key: number, position: number): void {
    const slot = position / this.slotBytes;
    this.#keys[slot] = key;
    this.#use(key, slot);
  }

  /** Forgets everything, and gives its memory back. */
  clear(): void {
    this.#keys.fill(EMPTY);
    this.#lastKey = EMPTY;
    this.buffer.releasePages();
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

  #leastRecentlyUsed(home: number): number {
    if (this.#keys[home] === EMPTY) return home;
    const first = home - home % this.#ways;
    let oldest = home;
    for (let slot = first; slot < first + this.#ways; slot++) {
      if (this.#keys[slot] === EMPTY) return slot;
      if ((this.#lastUse[slot] ?? 0) < (this.#lastUse[oldest] ?? 0)) oldest = slot;
    }
    return oldest;
  }
}
