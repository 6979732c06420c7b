/**
 * Gives the memory of caches back when an image has been idle for a while. While there is traffic, it
 * costs one comparison in each turn of the loop. (To arm a timer before each sleep of the loop instead
 * would cost as much as a read.)
 *
 *     empty ──traffic──> used <──traffic── aging ──tick──> empty, the timer stopped
 *                          └─────tick──────> ┘
 *
 * @module
 */
import { IntervalTimer } from "../sys/timer.ts";

const CacheState = {
  /** Nothing is in the caches, and the timer is not running. */
  Empty: 0,
  /** There has been traffic since the last tick. */
  Used: 1,
  /** There has been none. */
  Aging: 2,
} as const;
type CacheState = typeof CacheState[keyof typeof CacheState];

export class CacheCleaner implements Disposable {
  readonly #dropCaches: () => void;
  readonly #intervalMs: number;
  readonly #timer = new IntervalTimer();
  #state: CacheState = CacheState.Empty;

  /** @param intervalMs caches are dropped after one to two times as long without traffic */
  constructor(intervalMs: number, dropCaches: () => void) {
    this.#dropCaches = dropCaches;
    this.#intervalMs = intervalMs;
  }

  /** To be watched: readable means {@link CacheCleaner.tick}. */
  get fd(): number {
    return this.#timer.fd;
  }

  /** Says that there is traffic. */
  used(): void {
    if (this.#state === CacheState.Used) return;
    if (this.#state === CacheState.Empty) this.#timer.setPeriod(this.#intervalMs);
    this.#state = CacheState.Used;
  }

  /** The interval has passed once more. */
  tick(): void {
    this.#timer.takeTicks();
    if (this.#state === CacheState.Used) {
      this.#state = CacheState.Aging;
    } else if (this.#state === CacheState.Aging) {
      this.#state = CacheState.Empty;
      this.#timer.setPeriod(0);
      this.#dropCaches();
    }
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }
}
