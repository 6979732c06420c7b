/**
 * Where messages of one client lie that have arrived.
 *
 * @module
 */
import { IoBuffer } from "../sys/memory.ts";
import { MAX_SHARE_BYTES } from "./buffer_budget.ts";
import type { Claims } from "./claims.ts";

/** What is received at once if no longer message is due: 64 writes of 4 KiB. */
const SHORT_INPUT_BYTES = 288 * 1024;

/** Received bytes not yet taken: those of `buffer` from `start` to `end`. */
export class Input {
  buffer = IoBuffer.ofMessages(MAX_SHARE_BYTES);
  start = 0;
  end = 0;
  readonly #claims: Claims;
  /**
   * How far the buffer is filled. Not beyond the end of a long message: the next one then begins where
   * this one did, in memory that the processor still has in its cache.
   */
  #fillTo = SHORT_INPUT_BYTES;
  /** What the messages lie in that are not longer than {@link MAX_SHARE_BYTES}. */
  readonly #usual = this.buffer;

  constructor(claims: Claims) {
    this.#claims = claims;
  }

  /** Bytes received but not taken. */
  get pending(): number {
    return this.end - this.start;
  }

  /** Bytes that may be received to where `end` is. */
  get room(): number {
    return this.#fillTo - this.end;
  }

  /** Whether a message of `bytes` will lie here as a whole. */
  holds(bytes: number): boolean {
    return this.start + bytes <= this.#fillTo;
  }

  /**
   * Makes the buffer able to hold a message of `bytes` that has begun to arrive.
   *
   * @returns false if other connections leave no room for so long a one
   * @throws {RangeError} if there is no memory for it
   */
  hold(bytes: number): boolean {
    if (!this.#mayHold(bytes)) return false;
    const { pending } = this;
    if (bytes > this.buffer.size) this.#lengthen(bytes);
    else this.buffer.bytes.copyWithin(0, this.start, this.end);
    this.start = 0;
    this.end = pending;
    this.#fillTo = Math.max(bytes, SHORT_INPUT_BYTES);
    return true;
  }

  /** Makes room behind what has been taken, if the buffer is full. */
  makeRoom(): void {
    if (this.room === 0 && !this.holds(SHORT_INPUT_BYTES)) this.hold(SHORT_INPUT_BYTES);
  }

  /** Whether there is room for a message of `bytes`, which is claimed if it is a long one. */
  #mayHold(bytes: number): boolean {
    const claims = this.#claims;
    const free = Math.max(claims.shareBytes, SHORT_INPUT_BYTES, claims.of("input"));
    if (bytes <= free) return true;
    this.#release();
    return claims.claim("input", bytes);
  }

  #lengthen(bytes: number): void {
    const larger = IoBuffer.ofMessages(bytes);
    larger.bytes.set(this.buffer.bytes.subarray(this.start, this.end));
    this.buffer.releasePages();
    this.buffer = larger;
  }

  /** Marks received bytes as taken. */
  take(bytes: number): void {
    this.start += bytes;
    if (this.start < this.end) return;
    this.start = 0;
    this.end = 0;
    this.#fillTo = SHORT_INPUT_BYTES;
    this.#release();
  }

  #release(): void {
    if (this.#claims.of("input") === 0) return;
    if (this.pending === 0) {
      this.buffer.releasePages();
      this.buffer = this.#usual;
    }
    this.#claims.release("input");
  }
}
