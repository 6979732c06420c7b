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
/** The longest message has to fit, and some shorter ones beside it. */
const LONG_MESSAGES_BYTES = MAX_PAYLOAD_BYTES + 8 * MIB;

/** Room for messages that are longer than what each connection has anyway. */
class Pool {
  #freeBytes = LONG_MESSAGES_BYTES;
  #someoneWaits = false;

  /** False if there is no room now. */
  claim(bytes: number): boolean {
    if (bytes > this.#freeBytes) {
      this.#someoneWaits = true;
      return false;
    }
    this.#freeBytes -= bytes;
    return true;
  }

  /** True if somebody may be waiting for the room. */
  release(bytes: number): boolean {
    this.#freeBytes += bytes;
    const waited = this.#someoneWaits;
    this.#someoneWaits = false;
    return waited;
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

  leave(): void {
    this.#connections--;
    this.#divide();
  }

  /** Asks for room for a long message, which is to be released; false if there is none now. */
  claim(side: "input" | "output", bytes: number): boolean {
    return this.#pools[side].claim(bytes);
  }

  release(side: "input" | "output", bytes: number): void {
    if (this.#pools[side].release(bytes)) this.#freed = true;
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
