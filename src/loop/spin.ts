/**
 * Adaptive busy-polling: asking a socket again and again for a fraction of a millisecond is far
 * cheaper than being put to sleep and woken up, if the next request is about to come.
 *
 * That is different where other processes want the processor, too: a thread that spins uses up its
 * share of time and is then kept waiting for milliseconds, while one that sleeps runs as soon as it is
 * woken up. That others run can be told from a spin that takes far longer than its calls can take.
 *
 * @module
 */

/** Fruitless turns before the thread sleeps while traffic is hot: some 150 microseconds. */
const HOT_TURNS = 400;
/** A sleep shorter than this would have been better spent spinning. */
const SHORT_SLEEP_MS = 0.15;
/** So many short sleeps in a row make traffic hot again. */
const SHORT_SLEEPS_TO_HEAT = 4;

/** Spinning that has lasted so long was interrupted: several times what {@link HOT_TURNS} take. */
const STOLEN_MS = 0.6;
/** How long not to spin then; doubled each time in a row, up to the longest. */
const COOL_MS = { first: 20, longest: 640 } as const;

/** Decides for one thread how long to keep asking before it sleeps. */
export class SpinPolicy {
  readonly #maxTurns: number;
  #turns = 0;
  #shortSleeps = 0;
  #sleptAt = 0;
  #spinsSince = 0;
  #coolUntil = 0;
  #coolMs: number = COOL_MS.first;

  /** @param enabled false where spinning would take the only processor from the client */
  constructor(enabled: boolean) {
    this.#maxTurns = enabled ? HOT_TURNS : 0;
  }

  /** How many fruitless turns to make now before sleeping. */
  get turns(): number {
    return this.#turns;
  }

  /** @param nowMs a monotonic clock in milliseconds, as in all that follow */
  begins(nowMs: number): void {
    this.#spinsSince = nowMs;
  }

  /** The spinning was in vain: spin less next time, and soon not at all. */
  gaveUp(nowMs: number): void {
    if (this.#wasInterrupted(nowMs)) this.#coolDown(nowMs);
    else this.#turns = this.#turns > 50 ? this.#turns >> 1 : 0;
  }

  /** Spinning met a request: it pays, unless the processor was taken away meanwhile. */
  succeeded(nowMs: number): void {
    if (this.#wasInterrupted(nowMs)) return this.#coolDown(nowMs);
    this.#turns = this.#maxTurns;
    this.#coolMs = COOL_MS.first;
  }

  #wasInterrupted(nowMs: number): boolean {
    return nowMs - this.#spinsSince > STOLEN_MS;
  }

  #coolDown(nowMs: number): void {
    this.#turns = 0;
    this.#shortSleeps = 0;
    this.#coolUntil = nowMs + this.#coolMs;
    this.#coolMs = Math.min(2 * this.#coolMs, COOL_MS.longest);
  }

  fallsAsleep(nowMs: number): void {
    this.#sleptAt = nowMs;
  }

  /** A request has ended the sleep. */
  wokenUp(nowMs: number): void {
    if (nowMs < this.#coolUntil) return;
    const short = nowMs - this.#sleptAt < SHORT_SLEEP_MS;
    this.#shortSleeps = short ? this.#shortSleeps + 1 : 0;
    if (this.#shortSleeps >= SHORT_SLEEPS_TO_HEAT) this.#turns = this.#maxTurns;
  }
}
