/**
 * Makes what has been changed durable now and then, though nobody asks for it: so a crash, be it of the
 * daemon alone, costs no more than the changes of the last second or two.
 *
 *     clean ──change──> the timer runs ──tick: a flush──> ... ──tick: nothing left──> clean
 *
 * @module
 */
import { IntervalTimer } from "../sys/timer.ts";

/** It is looked so often whether something presses. */
const TICK_MS = 100;
/** After so many ticks everything is made durable: somewhat more often than file systems do it. */
const PATIENCE_TICKS = 10;

/** What there may be to be made durable. */
export interface WrittenBack {
  readonly hasUpdates: boolean;
  readonly wantsFlushSoon: boolean;
}

export class WriteBack implements Disposable {
  readonly #flush: () => void;
  readonly #access: WrittenBack;
  readonly #timer = new IntervalTimer();
  #isRunning = false;
  #ticks = 0;

  /** @param flush begins to make everything durable */
  constructor(access: WrittenBack, flush: () => void) {
    this.#access = access;
    this.#flush = flush;
  }

  /** To be watched: readable means {@link WriteBack.tick}. */
  get fd(): number {
    return this.#timer.fd;
  }

  /** Says that something may have been changed. */
  used(): void {
    if (this.#isRunning || !this.#isWanted) return;
    this.#isRunning = true;
    this.#ticks = 0;
    this.#timer.setPeriod(TICK_MS);
  }

  get #isWanted(): boolean {
    return this.#access.hasUpdates || this.#access.wantsFlushSoon;
  }

  /** The interval has passed once more. */
  tick(): void {
    this.#timer.takeTicks();
    this.#ticks++;
    if (this.#access.wantsFlushSoon || this.#access.hasUpdates && this.#ticks >= PATIENCE_TICKS) {
      this.#ticks = 0;
      this.#flush();
    } else if (!this.#isWanted) {
      this.#isRunning = false;
      this.#timer.setPeriod(0);
    }
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }
}
