/**
 * The cache of decompressed pieces of a disk, which all threads that serve it share: what one of them
 * has decompressed, none of the others needs to.
 *
 *     empty ──take──> loading ──keep──> used by n threads ──> used by none
 *       ^                └─give up─┐                              │
 *       └──────────────────────────┴──────────take by another─────┘
 *
 * A thread uses one slot at a time. No other thread fills that slot anew until it is given up, which
 * should be soon: meanwhile its set has room for one piece less. A thread only ever waits for another
 * one that is just decompressing the very piece it wants.
 *
 * @module
 */
import { libc } from "../sys/libc.ts";
import { bytesAt, MADV_DONTNEED } from "../sys/memory.ts";
import { type PieceSlots, STATE_OF_CACHE, STATE_OF_SLOT } from "./piece_memory.ts";
import { SparePiece } from "./workbench.ts";

const WAYS = 8;

/** Common fields of the state, as indexes of 32-bit integers. */
const Header = {
  /** Goes on with every piece that is kept. */
  Clock: 0,
  /** Threads that have used the cache since they cleared it last. */
  Users: 1,
  size: STATE_OF_CACHE,
} as const;

/** Fields of a slot. */
const Slot = {
  /** Threads that use it now, or LOADING. */
  Users: 0,
  /** Lower and upper half of the key plus one; 0 for an empty slot. */
  KeyLow: 1,
  KeyHigh: 2,
  /** The clock when it was used last. */
  LastUse: 3,
  size: STATE_OF_SLOT,
} as const;

/** One thread has the slot for itself. */
const LOADING = -1;
/** So long it is worth waiting for a piece that another thread decompresses: several times that. */
const LOADING_MS = 10;
const NONE = -1;

/**
 * One thread's access to the cache; slots are in sets of {@link WAYS}, or fewer if there are fewer.
 * There can be none at all: then the thread has the piece that it read last, if nothing else.
 */
export class PieceCache {
  readonly #memory: Uint8Array;
  readonly #address: number;
  readonly #slotBytes: number;
  readonly #ways: number;
  readonly #slotMask: number;
  readonly #state: Int32Array<SharedArrayBuffer>;
  /** The slot this thread uses. */
  #slot = NONE;
  /** The one that it used last, and its key: often it is wanted again. */
  #lastSlot = 0;
  #lastKey = NONE;
  /** The slot this thread fills. */
  #loading = NONE;
  /** Where it puts a piece if all slots of a set are in use, or there are none. */
  readonly #spare: SparePiece;
  #isUser = false;

  constructor({ slotBytes, slots, address, state }: PieceSlots, spare = new SparePiece()) {
    this.#spare = spare;
    this.#slotBytes = slotBytes;
    this.#ways = Math.min(WAYS, slots);
    this.#slotMask = slots - 1;
    this.#address = address;
    this.#memory = slots === 0 ? new Uint8Array(0) : bytesAt(address, slots * slotBytes);
    this.#state = state;
  }

  /**
   * Address of the bytes of the piece that begins at `key` in the disk, good until {@link PieceCache.giveUp} or
   * the next call of anything; or -1.
   */
  find(key: number): number {
    this.giveUp();
    const spare = this.#spare.find(this, key);
    if (spare !== NONE) return spare;
    if (key === this.#lastKey && this.#use(this.#lastSlot, key)) {
      return this.#addressOf(this.#lastSlot);
    }
    const home = this.#homeOf(key);
    const first = home - home % this.#ways;
    for (let way = 0; way < this.#ways; way++) {
      const slot = first + (home + way) % this.#ways;
      if (this.#holds(slot, key) && this.#use(slot, key)) return this.#addressOf(slot);
    }
    return NONE;
  }

  /** Whether it has `key`, or will: another thread is loading it. Waits for nothing. */
  has(key: number): boolean {
    if (this.#spare.has(this, key)) return true;
    const home = this.#homeOf(key);
    const first = home - home % this.#ways;
    for (let slot = first; slot < first + this.#ways; slot++) {
      if (this.#holds(slot, key)) return true;
    }
    return false;
  }

  /**
   * Where to put the `pieceBytes` of `key`: where a slot is too small for them, they are for this
   * thread alone. {@link PieceCache.keep} says that they are there,
   * {@link PieceCache.giveUp} that they will not be.
   */
  take(key: number, pieceBytes: number): Uint8Array {
    this.giveUp();
    this.#loading = pieceBytes > this.#slotBytes ? NONE : this.#claim(this.#homeOf(key));
    if (this.#loading === NONE) return this.#spare.take(pieceBytes);
    this.#setKey(this.#loading, key + 1);
    const position = this.#loading * this.#slotBytes;
    return this.#memory.subarray(position, position + pieceBytes);
  }

  /** Lets all threads find what {@link PieceCache.take} was for; returns its address, as find does. */
  keep(key: number): number {
    const slot = this.#loading;
    if (slot === NONE) return this.#spare.keep(this, key);
    this.#loading = NONE;
    this.#remember(slot, key);
    this.#markUsed(slot, Atomics.add(this.#state, Header.Clock, 1) + 1);
    this.#endLoading(slot, 1);
    return this.#addressOf(slot);
  }

  /** Needs neither what was taken nor what was found any more. */
  giveUp(): void {
    if (this.#loading !== NONE) {
      this.#setKey(this.#loading, 0);
      this.#endLoading(this.#loading, 0);
      this.#loading = NONE;
    }
    if (this.#slot === NONE) return;
    Atomics.sub(this.#state, fieldOf(this.#slot, Slot.Users), 1);
    this.#slot = NONE;
  }

  /**
   * Says that this thread needs nothing of it for now. The last one to say so gives the memory back.
   */
  clear(): void {
    this.giveUp();
    if (!this.#isUser) return;
    this.#isUser = false;
    if (Atomics.sub(this.#state, Header.Users, 1) === 1) this.#releaseMemory();
  }

  /** Does nothing if a thread has come back meanwhile. */
  #releaseMemory(): void {
    let claimed = 0;
    while (claimed <= this.#slotMask && this.#claimOne(claimed)) claimed++;
    const isAll = claimed > this.#slotMask;
    if (isAll) libc().madvise(this.#address, this.#memory.length, MADV_DONTNEED);
    for (let slot = 0; slot < claimed; slot++) {
      if (isAll) this.#setKey(slot, 0);
      this.#endLoading(slot, 0);
    }
  }

  #addressOf(slot: number): number {
    return this.#address + slot * this.#slotBytes;
  }

  // `&` takes an integer of any size modulo 2^32
  #homeOf(key: number): number {
    return Math.floor(key / this.#slotBytes) & this.#slotMask;
  }

  #holds(slot: number, key: number): boolean {
    return Atomics.load(this.#state, fieldOf(slot, Slot.KeyLow)) === (key + 1 | 0) &&
      Atomics.load(this.#state, fieldOf(slot, Slot.KeyHigh)) === upperHalf(key + 1);
  }

  #setKey(slot: number, marked: number): void {
    Atomics.store(this.#state, fieldOf(slot, Slot.KeyLow), marked | 0);
    Atomics.store(this.#state, fieldOf(slot, Slot.KeyHigh), upperHalf(marked));
  }

  /** Has a slot stay as it is; false if it does not have the key any more. */
  #use(slot: number, key: number): boolean {
    const field = fieldOf(slot, Slot.Users);
    while (this.#holds(slot, key)) {
      const users = Atomics.load(this.#state, field);
      if (users === LOADING) {
        if (Atomics.wait(this.#state, field, LOADING, LOADING_MS) === "timed-out") return false;
      } else if (Atomics.compareExchange(this.#state, field, users, users + 1) === users) {
        // Only now does it stay as it is.
        if (this.#holds(slot, key)) {
          this.#remember(slot, key);
          this.#markUsed(slot, Atomics.load(this.#state, Header.Clock));
          return true;
        }
        Atomics.sub(this.#state, field, 1);
      }
    }
    return false;
  }

  #remember(slot: number, key: number): void {
    this.#slot = slot;
    this.#lastSlot = slot;
    this.#lastKey = key;
  }

  #markUsed(slot: number, clock: number): void {
    Atomics.store(this.#state, fieldOf(slot, Slot.LastUse), clock);
    if (this.#isUser) return;
    this.#isUser = true;
    Atomics.add(this.#state, Header.Users, 1);
  }

  /** Takes the slot of a set that was used longest ago by those who do not use it; -1 if all do. */
  #claim(home: number): number {
    for (let attempt = 0; attempt < this.#ways; attempt++) {
      const slot = this.#leastRecentlyUsed(home);
      if (slot === NONE || this.#claimOne(slot)) return slot;
    }
    return NONE;
  }

  #claimOne(slot: number): boolean {
    return Atomics.compareExchange(this.#state, fieldOf(slot, Slot.Users), 0, LOADING) === 0;
  }

  #leastRecentlyUsed(home: number): number {
    const first = home - home % this.#ways;
    const clock = Atomics.load(this.#state, Header.Clock);
    let oldest = NONE;
    let oldestAge = -1;
    for (let way = 0; way < this.#ways; way++) {
      const slot = first + (home + way) % this.#ways;
      if (Atomics.load(this.#state, fieldOf(slot, Slot.Users)) !== 0) continue;
      if (this.#holds(slot, NONE)) return slot;
      // a difference modulo 2^32: the clock may go round
      const age = clock - Atomics.load(this.#state, fieldOf(slot, Slot.LastUse)) >>> 0;
      if (age > oldestAge) {
        oldest = slot;
        oldestAge = age;
      }
    }
    return oldest;
  }

  #endLoading(slot: number, users: number): void {
    const field = fieldOf(slot, Slot.Users);
    Atomics.store(this.#state, field, users);
    Atomics.notify(this.#state, field);
  }
}

function fieldOf(slot: number, field: number): number {
  return Header.size + slot * Slot.size + field;
}

function upperHalf(key: number): number {
  return Math.floor(key / 2 ** 32);
}
