/**
 * A limit on the memory that the buffers of all connections of one thread take together. Without it,
 * every client that asks for much and reads no replies, or announces a long write and does not send it,
 * would cost as much again as the one before it.
 *
 * @module
 */
import { MAX_PAYLOAD_BYTES } from "./protocol.ts";

const MIB = 1024 * 1024;
/** Replies that wait for clients to read, all clients together. */
const SHARED_BYTES = 16 * MIB;
/** The most that one connection may have without asking; so long are its usual buffers. */
export const MAX_SHARE_BYTES = 4 * MIB;
const MIN_SHARE_BYTES = 64 * 1024;
/** Room for the part of a message that is not payload, rounded up. */
const HEAD_BYTES = 4096;
const LONGEST_BYTES = MAX_PAYLOAD_BYTES + HEAD_BYTES;
/** What all medium messages together may take even while long ones wait. */
const MEDIUM_BYTES = 8 * MIB + HEAD_BYTES;

/** What a message is to a connection. */
export type Side = "input" | "output";

/** A connection that has asked for room when there was none. */
interface Wish {
  readonly owner: object;
  readonly bytes: number;
}

/**
 * Room for messages that do not fit into what each connection has of its own.
 *
 * Connections get it in the order in which they ask: otherwise room that becomes free bit by bit would
 * always go to those that need little. Medium messages and long ones have a queue each. While a long
 * one waits, medium ones leave room for it; at other times they may take all there is. So clients that
 * send or read nothing only ever keep back others whose messages are of the same kind.
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

  /** Removes those that need not wait any more; whether there were any. */
  forget(isVain: (wish: Wish) => boolean): boolean {
    const before = this.#medium.length + this.#long.length;
    this.#medium = this.#medium.filter((wish) => !isVain(wish));
    this.#long = this.#long.filter((wish) => !isVain(wish));
    return this.#medium.length + this.#long.length < before;
  }
}

/**
 * The budget of one thread. Input and output have a pool each: a connection that holds room in one of
 * them while it waits for the other keeps nobody from going on.
 */
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
  claim(side: Side, bytes: number, owner: object): boolean {
    const pool = this.#pools[side];
    const granted = pool.claim(owner, bytes);
    // The next one may find room, too.
    if (granted && pool.someoneWaits) this.#freed = true;
    return granted;
  }

  release(side: Side, bytes: number): void {
    const pool = this.#pools[side];
    pool.release(bytes);
    if (pool.someoneWaits) this.#freed = true;
  }

  /** Whether somebody waits for room on that side. */
  isContested(side: Side): boolean {
    return this.#pools[side].someoneWaits;
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
