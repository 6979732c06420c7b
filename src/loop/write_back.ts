/**
 * Makes what has been changed durable now and then, though nobody asks for it: so a crash, be it of the
 * daemon alone, costs no more than the changes of the last second or two.
 *
 *     clean ──change──> the timer runs ──tick: a flush──> ... ──tick: nothing left──> clean
 *
 * @module
 */
import { IntervalTimer } from "../sys/timer.ts";

/** As often as file systems do, or somewhat more often: a flush that nobody waits for is cheap. */
const INTERVAL_MS = 1000;

export class WriteBack implements Disposable {
  readonly #flush: () => void;
  readonly #hasUpdates: () => boolean;
  readonly #timer = new IntervalTimer();
  #isRunning = false;

  /**
   * @param hasUpdates whether something has been changed
   * @param flush begins to make that durable
   */
  constructor(hasUpdates: () => boolean, flush: () => void) {
    this.#hasUpdates = hasUpdates;
    this.#flush = flush;
  }

  /** To be watched: readable means {@link WriteBack.tick}. */
  get fd(): number {
    return this.#timer.fd;
  }

  /** Says that something may have been changed. */
  used(): void {
    if (this.#isRunning || !this.#hasUpdates()) return;
    this.#isRunning = true;
    this.#timer.setPeriod(INTERVAL_MS);
  }

  /** The interval has passed once more. */
  tick(): void {
    this.#timer.takeTicks();
    if (this.#hasUpdates()) return this.#flush();
    this.#isRunning = false;
    this.#timer.setPeriod(0);
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }
}
