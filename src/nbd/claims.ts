/**
 * What one connection has of the room that all of a thread share for long messages, and whether it
 * makes use of it.
 *
 * @module
 */
import type { BufferBudget, Side } from "./buffer_budget.ts";

/** So long a client may keep room that others wait for, without sending or reading anything. */
const STALL_MS = 60_000;

export class Claims {
  readonly #budget: BufferBudget;
  readonly #bytes = { input: 0, output: 0 };
  /** When a long message has not gone on for too long, by the monotonic clock; Infinity if there is none. */
  stallsAtMs = Infinity;

  constructor(budget: BufferBudget) {
    this.#budget = budget;
    budget.join();
  }

  /** As {@link BufferBudget.shareBytes}. */
  get shareBytes(): number {
    return this.#budget.shareBytes;
  }

  /** Bytes claimed for a long message, 0 where there is none. */
  of(side: Side): number {
    return this.#bytes[side];
  }

  /** As {@link BufferBudget.claim}. */
  claim(side: Side, bytes: number): boolean {
    if (!this.#budget.claim(side, bytes, this)) return false;
    this.#bytes[side] = bytes;
    this.#watch();
    return true;
  }

  release(side: Side): void {
    if (this.#bytes[side] === 0) return;
    this.#budget.release(side, this.#bytes[side]);
    this.#bytes[side] = 0;
    this.#watch();
  }

  /** The client has sent or read something. */
  hasMoved(): void {
    if (this.stallsAtMs !== Infinity) this.#watch();
  }

  #watch(): void {
    const hasAny = this.#bytes.input > 0 || this.#bytes.output > 0;
    this.stallsAtMs = hasAny ? performance.now() + STALL_MS : Infinity;
  }

  /**
   * Whether the client has long not gone on with a message whose room others wait for.
   *
   * @param awaited the sides on which it is the client's turn to go on
   */
  hasStalled(nowMs: number, awaited: Readonly<Record<Side, boolean>>): boolean {
    if (nowMs < this.stallsAtMs) return false;
    // Others may come to wait later.
    this.#watch();
    const isStalled = (side: Side): boolean =>
      this.#bytes[side] > 0 && awaited[side] && this.#budget.isContested(side);
    return isStalled("input") || isStalled("output");
  }

  close(): void {
    this.release("input");
    this.release("output");
    this.#budget.leave(this);
  }
}
