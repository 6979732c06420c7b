/**
 * What the buffers of all connections of a thread may take together: clients that ask for much and
 * read nothing, or announce much and send nothing, must not cost more the more of them there are.
 *
 * @module
 */
import { MAX_PAYLOAD_BYTES } from "./protocol.ts";

const MIB = 1024 * 1024;
/** Replies that wait for clients to read, all clients together. */
const SHARED_BYTES = 16 * MIB;
const MAX_SHARE_BYTES = 4 * MIB;
const MIN_SHARE_BYTES = 64 * 1024;
/** What a message has beside its payload, and some more. */
const HEAD_BYTES = 4096;
const LONGEST_BYTES = MAX_PAYLOAD_BYTES + HEAD_BYTES;
/** Medium messages, all together, that find room however many longer ones wait. */
const MEDIUM_BYTES = 8 * MIB + HEAD_BYTES;

/** Somebody who has asked for room in vain. */
interface Wish {
  readonly owner: object;
  readonly bytes: number;
}

/**
 * Room for messages that are longer than what each connection has anyway.
 *
 * Who has to wait has its turn: room that is freed bit by bit would else always go to those who need
 * less. Medium messages and longer ones have a queue each, and medium ones leave room for a longer
 * one only while one waits: so neither kind waits for clients of the other that send or read nothing.
 */
class Pool {
  #freeBytes = LONGEST_BYTES + MEDIUM_BYTES;
  #mediumBytes = 0;
  #medium: Wish[] = [];
  #long: Wish[] = [];

  get someoneWaits(): boolean {
    return this.#medium.length > 0 || this.#long.length > 0;
  }

  /** False if there is no room now, or others have waited for longer; then `owner` waits, too. */
  claim(owner: object, bytes: number): boolean {
    const isMedium = bytes <= MEDIUM_BYTES;
    const queue = isMedium ? this.#medium : this.#long;
    const isNext = queue[0] === undefined || queue[0].owner === owner;
    if (!isNext || bytes > this.#roomFor(isMedium)) {
      if (!queue.some((wish) => wish.owner === owner)) queue.push({ owner, bytes });
      return false;
    }
    queue.shift();
    this.#take(bytes);
    return true;
  }

  #roomFor(isMedium: boolean): number {
    if (!isMedium || this.#long.length === 0) return this.#freeBytes;
    return Math.min(this.#freeBytes, MEDIUM_BYTES - this.#mediumBytes);
  }

  #take(bytes: number): void {
    this.#freeBytes -= bytes;
    if (bytes <= MEDIUM_BYTES) this.#mediumBytes += bytes;
  }

  release(bytes: number): void {
    this.#freeBytes += bytes;
    if (bytes <= MEDIUM_BYTES) this.#mediumBytes -= bytes;
  }

  /** Forgets those who wait in vain; whether there were any. */
  forget(isVain: (wish: Wish) => boolean): boolean {
    const before = this.#medium.length + this.#long.length;
    this.#medium = this.#medium.filter((wish) => !isVain(wish));
    this.#long = this.#long.filter((wish) => !isVain(wish));
    return this.#medium.length + this.#long.length < before;
  }
}

/** Input and output are apart: who waits for one of them while having the other hinders nobody. */
export class BufferBudget {
  readonly #pools = { input: new Pool(), output: new Pool() } as const;
  #connections = 0;
  #shareBytes = MAX_SHARE_BYTES;
  #freed = false;

  /** Bytes of replies each connection may hold without asking. */
  get shareBytes(): number {
    return this.#shareBytes;
  }

  join(): void {
    this.#connections++;
    this.#divide();
  }

  /** @param owner as for {@link BufferBudget.claim}; it waits for nothing any more */
  leave(owner: object): void {
    this.#connections--;
    this.#divide();
    // Shares have grown: what fits into one now needs no claim.
    this.#forget((wish) => wish.owner === owner || wish.bytes <= this.#shareBytes);
  }

  /**
   * Asks for room for a long message, which is to be released.
   *
   * @param owner who may have asked before, and keeps its place among those who wait
   * @returns false if there is none now: to be asked again when something has been freed
   */
  claim(side: "input" | "output", bytes: number, owner: object): boolean {
    const pool = this.#pools[side];
    const granted = pool.claim(owner, bytes);
    // The next one may find room, too.
    if (granted && pool.someoneWaits) this.#freed = true;
    return granted;
  }

  release(side: "input" | "output", bytes: number): void {
    const pool = this.#pools[side];
    pool.release(bytes);
    if (pool.someoneWaits) this.#freed = true;
  }

  #forget(isVain: (wish: Wish) => boolean): void {
    for (const pool of Object.values(this.#pools)) {
      if (pool.forget(isVain)) this.#freed = true;
    }
  }

  /** Whether connections that wait for room should try again; asking takes it back. */
  takeFreed(): boolean {
    const freed = this.#freed;
    this.#freed = false;
    return freed;
  }

  #divide(): void {
    const share = Math.floor(SHARED_BYTES / Math.max(this.#connections, 1));
    this.#shareBytes = Math.min(Math.max(share, MIN_SHARE_BYTES), MAX_SHARE_BYTES);
  }
}
