/**
 * Notices when a thread has more work than it can do.
 *
 * @module
 */

/** So long without a sleep, and nearly without waiting, is no mere burst. */
const OVERLOAD_MS = 100;
/** Turns in vain for each one with work that still are no waiting: each takes a microsecond at most. */
const IDLE_TURNS_ALLOWED = 4;

/** Watches one thread; times are of a monotonic clock, in milliseconds. */
export class LoadMeter {
  #sinceMs = 0;
  #busyTurns = 0;
  #idleTurns = 0;

  /** A turn of the loop was in vain. */
  idled(): void {
    this.#idleTurns++;
  }

  /** There was nothing to do but to sleep, until now. */
  slept(nowMs: number): void {
    this.#restart(nowMs);
  }

  /**
   * After `busyTurns` more turns with work: whether this has gone on for too long. It is said once
   * for each such period.
   */
  isTooMuch(busyTurns: number, nowMs: number): boolean {
    this.#busyTurns += busyTurns;
    const isBusy = this.#idleTurns <= this.#busyTurns * IDLE_TURNS_ALLOWED;
    if (isBusy && nowMs - this.#sinceMs < OVERLOAD_MS) return false;
    this.#restart(nowMs);
    return isBusy;
  }

  #restart(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#busyTurns = 0;
    this.#idleTurns = 0;
  }
}
