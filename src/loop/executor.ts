/**
 * Executes the requests of one thread on its image, whatever protocol they came by.
 *
 * What can be done without waiting for a disk is done at once. A read that would have to wait is
 * parked, and run again when the slow lane has done its part. A flush is parked until it is done, and
 * so is a change that takes long.
 *
 * @module
 */
import { ImageFormatError } from "../image/errors.ts";
import type { ImageAccess } from "../disk/image_access.ts";
import type { Change } from "../disk/change.ts";
import type { Attempt } from "../storage/attempt.ts";
import { EDQUOT, EFBIG, EIO, ENOSPC, errorText, SystemError } from "../sys/errno.ts";
import { nap } from "../sys/poll.ts";
import { reasonOf } from "../sys/reason.ts";
import { wakeThread } from "../sys/signals.ts";
import { SLOW_READ_MAX_BYTES, type SlowLane } from "../storage/slow_lane.ts";
import { ChangeOutcome, Changes } from "./changes.ts";
import { FlushQueue } from "./flush_queue.ts";
import { HintedReads } from "./hinted_reads.ts";
import type { ParkedRequest, RequestOwner } from "./parked_request.ts";
import type { SharedState } from "./shared_state.ts";

/**
 * How often a parked read is tried again before it may simply wait: where the page cache can be
 * asked, and where it cannot.
 */
const MAX_ATTEMPTS = { informed: 64, blind: 3 } as const;

/** Whether others wait while a request is executed: if not, waiting is no harm, and cheaper. */
export type Company = "alone" | "among others";

/** With which a write may fail because of an earlier one, on NFS. */
const LATE_ERRORS: readonly number[] = [EFBIG, ENOSPC, EDQUOT];

/** What changes are called in the log, by their kind. */
const CHANGE_NAMES = ["write", "discard", "write of zeros"] as const;

/** A request for the log. */
export interface FailedRequest {
  readonly what: string;
  readonly offset: number;
  readonly lengthBytes: number;
}

/** Where errors of requests are reported. */
export interface ErrorLog {
  error(message: string): void;
}

export interface ExecutorContext {
  readonly access: ImageAccess;
  readonly lane: SlowLane;
  readonly shared: SharedState;
  /** Number of the thread. */
  readonly thread: number;
  readonly log: ErrorLog;
}

export class Executor {
  readonly access: ImageAccess;
  readonly #lane: SlowLane;
  readonly #shared: SharedState;
  readonly log: ErrorLog;
  readonly #flushes: FlushQueue;
  readonly #hinted = new HintedReads();
  readonly #changes: Changes;
  readonly #maxAttempts: number;
  /** Parked requests whose turn has come. */
  #ready: ParkedRequest[] = [];
  /** Whether some of them have not been tried since. */
  #hasNews = false;
  readonly #makeReady = (parked: ParkedRequest): void => {
    this.#ready.push(parked);
    this.#hasNews = true;
  };

  constructor(context: ExecutorContext) {
    const { access, lane, shared, thread, log } = context;
    this.access = access;
    this.#lane = lane;
    this.#shared = shared;
    this.log = log;
    const onFailure = (errno: number): void => log.error(`flush failed: ${errorText(errno)}`);
    const flushing = { lane, shared, thread, wake: wakeThread, onFailure };
    this.#flushes = new FlushQueue(access.filesToSync, flushing);
    this.#maxAttempts = access.cannotTellCached ? MAX_ATTEMPTS.blind : MAX_ATTEMPTS.informed;
    this.#changes = new Changes({
      access,
      lane,
      failure: (change, error) => this.#changeFailure(change, error),
      onDone: (parked) => this.#changed(parked),
    });
  }

  /** Says that `attempt` is for a request that has just come, by whomever. */
  prepare(attempt: Attempt, company: Company): void {
    attempt.mayDefer = company !== "alone";
    attempt.mayWait = this.access.cannotTellCached && company === "alone" && !this.#lane.busy;
    attempt.warm.clear();
  }

  /** Says that `attempt` is for a parked request, for which what it waited for has been done. */
  prepareAgain(attempt: Attempt, parked: ParkedRequest): void {
    const { file, hostOffset, hostBytes } = parked.range;
    attempt.mayDefer = true;
    attempt.mayWait = parked.isStuck || parked.attempts > this.#maxAttempts;
    attempt.warm.set(file, hostOffset, Math.min(hostBytes, SLOW_READ_MAX_BYTES));
  }

  /** Parks a request whose `attempt` has failed: its owner is asked to resume it. */
  park(parked: ParkedRequest, { awaited, missing }: Attempt): void {
    parked.onReady = this.#makeReady;
    if (awaited !== undefined) {
      parked.waitsForWork();
      awaited.addWaiter(parked);
      return;
    }
    if (missing.file === undefined) throw new Error("blocked on nothing");
    parked.waitsFor(missing);
    if (!this.#hinted.add(parked)) this.#readSlowly(parked);
  }

  /** Parks a request that has used up its share of this turn: it goes on in the next one. */
  postpone(parked: ParkedRequest): void {
    this.#makeReady(parked);
  }

  /** Whether some request waits for a disk. */
  get waits(): boolean {
    return this.#lane.busy || this.#hinted.busy || this.#flushes.busy;
  }

  /** Finds out whose wait is over: they become ready to be resumed. */
  reap(): void {
    if (this.#lane.busy) this.#lane.reap();
    if (this.#flushes.busy) this.#flushes.reap();
    if (!this.#hinted.busy) return;
    this.#hinted.reap();
    const overdue = this.#hinted.takeOverdue();
    if (overdue !== undefined) this.#readSlowly(overdue);
  }

  /**
   * Leaves it to the slow lane to wake the thread up.
   *
   * @returns false if it had better not sleep: there is something to be done at once
   */
  fallAsleep(): boolean {
    if (this.#hinted.busy) {
      for (const parked of this.#hinted.takeAll()) this.#readSlowly(parked);
    }
    return this.#flushes.fallAsleep() && !this.#lane.needsReaping && !this.#hasNews;
  }

  /** Waits for the end of a sync that this thread has begun: others would wait for it for ever. */
  finishSync(): void {
    while (this.#flushes.isSyncing) this.#reapAndNap();
  }

  /** Waits until no other thread has anything to do with the memory of this one, and its descriptors. */
  settle(): void {
    while (this.#lane.busy) this.#reapAndNap();
    this.#lane[Symbol.dispose]();
  }

  #reapAndNap(): void {
    this.#lane.reap();
    nap();
  }

  #readSlowly(parked: ParkedRequest): void {
    const { file, hostOffset, hostBytes } = parked.range;
    if (file !== undefined) this.#lane.read(file, hostOffset, hostBytes, parked);
  }

  /**
   * Makes a change, or parks it for `owner`: the only way by which requests change the disk.
   *
   * @returns as {@link Changes.make}
   */
  change(change: Change, owner: RequestOwner): number {
    const outcome = this.#changes.make(change, owner);
    if (outcome !== 0 || !change.mustBeDurable) return outcome;
    this.flush(owner.park());
    return ChangeOutcome.Parked;
  }

  #changeFailure({ kind, offset, lengthBytes }: Change, error: unknown): number {
    const errno = this.failure({ what: CHANGE_NAMES[kind], offset, lengthBytes }, error);
    if (this.#isOfEarlierWrite(errno)) this.#shared.setFlushFailed();
    return errno;
  }

  #isOfEarlierWrite(errno: number): boolean {
    return LATE_ERRORS.includes(errno) &&
      this.access.filesToSync.some((file) => file.tellsWritesOfEarlierOnes);
  }

  #changed(parked: ParkedRequest): void {
    if (parked.error === 0 && parked.change?.mustBeDurable) this.flush(parked);
    else this.#makeReady(parked);
  }

  /** Lets the changes go on that take several turns; whether any did. */
  goOn(): boolean {
    return this.#changes.goOn();
  }

  /** Whether channels should try again that found no room for a change's payload. */
  takeFreed(): boolean {
    return this.#changes.takeFreed();
  }

  releaseMemory(): void {
    this.#changes.releaseMemory();
  }

  /** Parks a request until everything written so far is durable; its `error` tells. */
  flush(parked: ParkedRequest): void {
    parked.onReady = this.#makeReady;
    this.#flushes.add(parked);
  }

  /** Has the parked requests answered whose turn has come; whether any was. */
  resumeReady(): boolean {
    this.#hasNews = false;
    if (this.#ready.length === 0) return false;
    const ready = this.#ready;
    this.#ready = [];
    let any = false;
    for (const parked of ready) {
      // Resuming one may make others ready, which then wait for the next call.
      if (parked.owner.resume(parked)) any = true;
      else this.#ready.push(parked);
    }
    return any;
  }

  /** Logs why a request failed; returns its error number, EIO for a damaged image. */
  failure({ what, offset, lengthBytes }: FailedRequest, error: unknown): number {
    const text = `${this.#otherFile(error)}${reasonOf(error)}`;
    this.log.error(`${what} of ${lengthBytes} bytes at ${offset} failed: ${text}`);
    return error instanceof SystemError ? error.errno : EIO;
  }

  /** The file an error is about, if that is not the image's own, which is in every line anyway. */
  #otherFile(error: unknown): string {
    const isAboutFile = error instanceof SystemError || error instanceof ImageFormatError;
    const path = isAboutFile ? error.path : undefined;
    return path === undefined || path === this.access.path ? "" : `${path}: `;
  }
}
