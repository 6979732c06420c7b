/**
 * Where replies to one client lie that are not sent yet.
 *
 * @module
 */
import { IoBuffer } from "../sys/memory.ts";
import { MAX_SHARE_BYTES } from "./buffer_budget.ts";
import type { Claims } from "./claims.ts";

/** Bytes to send: those of `buffer` from `start` to `end`. */
export class Output {
  buffer = IoBuffer.ofMessages(MAX_SHARE_BYTES);
  start = 0;
  end = 0;
  readonly #claims: Claims;
  /** What the replies lie in that are not longer than {@link MAX_SHARE_BYTES}. */
  readonly #usual = this.buffer;

  constructor(claims: Claims) {
    this.#claims = claims;
  }

  /** Bytes to send. */
  get pending(): number {
    return this.end - this.start;
  }

  /** Whether `bytes` more have room behind what is there. */
  holds(bytes: number): boolean {
    return this.end + bytes <= Math.max(this.#claims.shareBytes, this.#claims.of("output"));
  }

  /**
   * Makes the empty buffer able to hold a reply of `bytes`.
   *
   * @returns false if other connections leave no room for so long a one
   * @throws {RangeError} if there is no memory for it
   */
  hold(bytes: number): boolean {
    const claims = this.#claims;
    if (bytes <= claims.shareBytes) return true;
    if (!claims.claim("output", bytes)) return false;
    if (bytes > this.buffer.size) this.buffer = IoBuffer.ofMessages(bytes);
    return true;
  }

  /**
   * All has been sent. The pages of a long reply are given back, not only the right to them: the
   * collector of garbage would come too late.
   */
  clear(): void {
    this.start = 0;
    this.end = 0;
    if (this.#claims.of("output") === 0) return;
    this.buffer.releasePages();
    this.buffer = this.#usual;
    this.#claims.release("output");
  }
}
