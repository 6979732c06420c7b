/**
 * Whether the files of a disk take writes quickly, so that the request loop can make them itself, or
 * slowly, so that other threads should make them.
 *
 *     quick ──a very long write, or long ones close together──> slow ──many quick ones in a row──> quick
 *
 * A single long write may only mean that another process had the processor meanwhile. Each time that
 * going back to quick proves to have been wrong, it takes twice as many quick writes the next time.
 *
 * @module
 */

/** A write that takes longer may have waited for a disk; a large one is allowed more. */
const LONG_MS = 4;
const LONG_MS_PER_BYTE = 4 / (1024 * 1024);
/** Nobody loses a processor for so long. */
const VERY_LONG_MS = 40;
/** Two long writes are close together with no more than this number of others between them. */
const CLOSE = 8;
/** How many quick writes in a row of the other threads make the loop try again. */
const STREAK = { first: 64, longest: 16_384 } as const;
/** After so many quick writes of its own the change back was right. */
const PROVEN = 4096;

/** Decides for one thread. */
export class WritePace {
  #isSlow = false;
  /** Quick writes since the last long one: of the loop, or while it is slow of other threads. */
  #quick: number = PROVEN;
  #wanted: number = STREAK.first;

  get isSlow(): boolean {
    return this.#isSlow;
  }

  /** A write of the loop's own took `ms`. */
  took(ms: number, lengthBytes: number): void {
    if (isQuick(ms, lengthBytes)) {
      if (this.#quick < PROVEN && ++this.#quick === PROVEN) this.#wanted = STREAK.first;
      return;
    }
    this.#isSlow = ms > VERY_LONG_MS || this.#quick <= CLOSE;
    this.#quick = 0;
  }

  /** A write of another thread took `ms`, waiting for the thread included. */
  tookElsewhere(ms: number, lengthBytes: number): void {
    this.#quick = isQuick(ms, lengthBytes) ? this.#quick + 1 : 0;
    if (!this.#isSlow || this.#quick < this.#wanted) return;
    this.#isSlow = false;
    this.#quick = CLOSE + 1;
    this.#wanted = Math.min(this.#wanted * 2, STREAK.longest);
  }
}

function isQuick(ms: number, lengthBytes: number): boolean {
  return ms < LONG_MS + lengthBytes * LONG_MS_PER_BYTE;
}
