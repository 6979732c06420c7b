/**
 * Requests that wait for bytes: whether one may simply wait, and what those do meanwhile that may not.
 *
 *     attempt ── failed ──> parked ── hinted: looked at while the thread spins ── ready, tried again
 *                                 └── else, and when it goes to sleep: the slow lane ──┘
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import type { Attempt } from "../storage/attempt.ts";
import { SLOW_READ_MAX_BYTES, type SlowLane } from "../storage/slow_lane.ts";
import type { FlushQueue } from "./flush_queue.ts";
import { HintedReads } from "./hinted_reads.ts";
import type { ParkedRequest } from "./parked_request.ts";

/**
 * How often a parked read is tried again before it may simply wait: where the page cache can be
 * asked, and where it cannot.
 */
const MAX_ATTEMPTS = { informed: 64, blind: 3 } as const;

/** Whether others wait while a request is executed: if not, waiting is no harm, and cheaper. */
export type Company = "alone" | "among others";

/** What those wait with that may not wait themselves. */
export interface WaitingContext {
  readonly lane: SlowLane;
  readonly flushes: Pick<FlushQueue, "add">;
}

/** The waits of one thread. */
export class Waits {
  readonly #access: ImageAccess;
  readonly #lane: SlowLane;
  readonly #flushes: WaitingContext["flushes"];
  readonly #hinted = new HintedReads();
  readonly #maxAttempts: number;

  constructor(access: ImageAccess, { lane, flushes }: WaitingContext) {
    this.#access = access;
    this.#lane = lane;
    this.#flushes = flushes;
    this.#maxAttempts = access.cannotTellCached ? MAX_ATTEMPTS.blind : MAX_ATTEMPTS.informed;
  }

  /** Says that `attempt` is for a request that has just come, by whomever. */
  prepare(attempt: Attempt, company: Company): void {
    attempt.mayDefer = company !== "alone";
    attempt.mayWait = this.#access.cannotTellCached && company === "alone" && !this.#lane.busy;
    attempt.warm.clear();
  }

  /** Says that `attempt` is for a parked request, for which what it waited for has been done. */
  prepareAgain(attempt: Attempt, parked: ParkedRequest): void {
    const { file, hostOffset, hostBytes } = parked.range;
    attempt.mayDefer = true;
    attempt.mayWait = parked.isStuck || parked.attempts > this.#maxAttempts;
    attempt.warm.set(file, hostOffset, Math.min(hostBytes, SLOW_READ_MAX_BYTES));
  }

  /** Has a request told when that is there for want of which its attempt has failed. */
  add(parked: ParkedRequest, { awaited, missing, wantsFlush }: Attempt): void {
    if (wantsFlush) {
      parked.waitsForWork();
      return this.#flushes.add(parked);
    }
    if (awaited !== undefined) {
      parked.waitsForWork();
      awaited.addWaiter(parked);
      return;
    }
    if (missing.file === undefined) throw new Error("blocked on nothing");
    parked.waitsFor(missing);
    if (!this.#hinted.add(parked)) this.#readSlowly(parked);
  }

  /** Whether some are waiting that the slow lane knows nothing of. */
  get busy(): boolean {
    return this.#hinted.busy;
  }

  /** Finds out whose range has arrived, and tells them. */
  reap(): void {
    if (!this.#hinted.busy) return;
    this.#hinted.reap();
    const overdue = this.#hinted.takeOverdue();
    if (overdue !== undefined) this.#readSlowly(overdue);
  }

  /** The thread is to sleep: all that is left is for the slow lane, which can wake it. */
  fallAsleep(): void {
    if (!this.#hinted.busy) return;
    for (const parked of this.#hinted.takeAll()) this.#readSlowly(parked);
  }

  #readSlowly(parked: ParkedRequest): void {
    const { file, hostOffset, hostBytes } = parked.range;
    if (file !== undefined) this.#lane.read(file, hostOffset, hostBytes, parked);
  }
}
