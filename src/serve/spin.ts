/**
 * Adaptive busy-polling: asking a socket again and again for a fraction of a millisecond is far
 * cheaper than being put to sleep and woken up, if the next request is about to come.
 *
 * @module
 */

/** Fruitless turns before the thread sleeps while traffic is hot: some 150 microseconds. */
const HOT_TURNS = 400;
/** A sleep shorter than this would have been better spent spinning. */
const SHORT_SLEEP_MS = 0.15;
/** So many short sleeps in a row make traffic hot again. */
const SHORT_SLEEPS_TO_HEAT = 4;

/** Decides for one thread how long to keep asking before it sleeps. */
export class SpinPolicy {
  readonly #maxTurns: number;
  #turns = 0;
  #shortSleeps = 0;
  #sleptAt = 0;

  /** @param enabled false where spinning would take the only processor from the client */
  constructor(enabled: boolean) {
    this.#maxTurns = enabled ? HOT_TURNS : 0;
  }

  /** How many fruitless turns to make now before sleeping. */
  get turns(): number {
    return this.#turns;
  }

  /** The spinning was in vain: spin less next time, and soon not at all. */
  gaveUp(): void {
    this.#turns = this.#turns > 50 ? this.#turns >> 1 : 0;
  }

  /** Spinning met a request: it pays. */
  succeeded(): void {
    this.#turns = this.#maxTurns;
  }

  /** @param nowMs a monotonic clock in milliseconds */
  fallsAsleep(nowMs: number): void {
    this.#sleptAt = nowMs;
  }

  /** A request has ended the sleep. */
  wokenUp(nowMs: number): void {
    const short = nowMs - this.#sleptAt < SHORT_SLEEP_MS;
    this.#shortSleeps = short ? this.#shortSleeps + 1 : 0;
    if (this.#shortSleeps >= SHORT_SLEEPS_TO_HEAT) this.#turns = this.#maxTurns;
  }
}
