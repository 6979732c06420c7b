/**
 * Executes the requests of one thread on its image, whatever protocol they came by.
 *
 * What can be done without waiting for a disk is done at once. A read that would have to wait is
 * parked, and run again when the slow lane has done its part; so is a flush, until it is done.
 *
 * @module
 */
import { ImageFormatError } from "../image/errors.ts";
import type { ImageAccess } from "../disk/image_access.ts";
import type { IoBuffer } from "../sys/memory.ts";
import { EIO, errorText, SystemError } from "../sys/errno.ts";
import { reasonOf } from "../sys/reason.ts";
import { SLOW_READ_MAX_BYTES, type SlowLane } from "../storage/slow_lane.ts";
import { FlushQueue } from "./flush_queue.ts";
import { HintedReads } from "./hinted_reads.ts";
import type { ParkedRequest } from "./parked_request.ts";
import type { SharedState } from "./shared_state.ts";

/**
 * How often a parked read is tried again before it may simply wait: where the page cache can be
 * asked, and where it cannot.
 */
const MAX_ATTEMPTS = { informed: 64, blind: 3 } as const;

/** Where errors of requests are reported. */
export interface ErrorLog {
  error(message: string): void;
}

export interface ExecutorContext {
  readonly access: ImageAccess;
  readonly lane: SlowLane;
  readonly shared: SharedState;
  readonly log: ErrorLog;
}

export class Executor {
  readonly access: ImageAccess;
  readonly #lane: SlowLane;
  readonly #log: ErrorLog;
  readonly #flushes: FlushQueue;
  readonly #hinted = new HintedReads();
  readonly #maxAttempts: number;
  /** Parked requests whose turn has come. */
  #ready: ParkedRequest[] = [];
  readonly #makeReady = (parked: ParkedRequest): void => {
    this.#ready.push(parked);
  };

  constructor(context: ExecutorContext) {
    const { access, lane, shared, log } = context;
    this.access = access;
    this.#lane = lane;
    this.#log = log;
    const onFailure = (errno: number): void => log.error(`flush failed: ${errorText(errno)}`);
    this.#flushes = new FlushQueue(access.filesToSync, { lane, shared, onFailure });
    this.#maxAttempts = access.cannotTellCached ? MAX_ATTEMPTS.blind : MAX_ATTEMPTS.informed;
    access.setMayBlock(false);
  }

  /**
   * Reads a range inside the disk into `target` from `position` on.
   *
   * @param alone whether nothing else is to be done: then waiting is no harm, and cheaper than the
   *   slow lane, where it cannot be told whether a read will wait
   * @returns false if the request has to be parked
   * @throws as {@link ImageAccess.read}
   */
  read(
    target: IoBuffer,
    position: number,
    offset: number,
    lengthBytes: number,
    alone: boolean,
  ): boolean {
    this.prepare(alone);
    return this.access.read(target, position, offset, lengthBytes);
  }

  /**
   * Says that the image is about to be asked for a request that has just come, by whomever.
   *
   * @param alone as for {@link Executor.read}
   */
  prepare(alone: boolean): void {
    const { access } = this;
    access.mayDefer = !alone;
    if (access.cannotTellCached) access.setMayBlock(alone && !this.#lane.busy);
  }

  /** Parks a read that could not be done: its owner is asked to resume it. */
  park(parked: ParkedRequest): void {
    const { waitsFor: job } = this.access;
    if (job !== undefined) {
      parked.waitsForThread();
      parked.onReady = this.#makeReady;
      job.addWaiter(parked);
      return;
    }
    const { file, hostOffset, hostBytes } = this.access.blockedOn;
    if (file === undefined) throw new Error("blocked on nothing");
    parked.waitsFor(file, hostOffset, hostBytes);
    parked.onReady = this.#makeReady;
    if (!this.#hinted.add(parked)) this.#readSlowly(parked);
  }

  /** Whether some request waits for a disk. */
  get waits(): boolean {
    return this.#lane.busy || this.#hinted.busy;
  }

  /** Finds out whose wait is over: they become ready to be resumed. */
  reap(): void {
    if (this.#lane.busy) this.#lane.reap();
    if (!this.#hinted.busy) return;
    this.#hinted.reap();
    const overdue = this.#hinted.takeOverdue();
    if (overdue !== undefined) this.#readSlowly(overdue);
  }

  /** Leaves it to the slow lane to wake the thread up. */
  fallAsleep(): void {
    if (!this.#hinted.busy) return;
    for (const parked of this.#hinted.takeAll()) this.#readSlowly(parked);
  }

  #readSlowly(parked: ParkedRequest): void {
    const { file, hostOffset, hostBytes } = parked;
    if (file !== undefined) this.#lane.read(file, hostOffset, hostBytes, parked);
  }

  /** Runs a parked read again; as {@link Executor.read}. */
  readAgain(parked: ParkedRequest, target: IoBuffer, position: number): boolean {
    const { offset, length } = parked;
    return this.again(parked, () => this.access.read(target, position, offset, length));
  }

  /** Has a parked request try once more what it waited for; what `attempt` gives. */
  again<T>(parked: ParkedRequest, attempt: () => T): T {
    const { access } = this;
    const { file } = parked;
    access.mayDefer = true;
    access.setMayBlock(parked.isStuck || parked.attempts > this.#maxAttempts);
    file?.setWarm(parked.hostOffset, Math.min(parked.hostBytes, SLOW_READ_MAX_BYTES));
    try {
      return attempt();
    } finally {
      file?.setWarm(0, 0);
      access.setMayBlock(false);
    }
  }

  /** Parks a request until everything written so far is durable; its `error` tells. */
  flush(parked: ParkedRequest): void {
    parked.onReady = this.#makeReady;
    this.#flushes.add(parked);
  }

  /** Has the parked requests answered whose turn has come; whether any was. */
  resumeReady(): boolean {
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
  failure(what: string, offset: number, lengthBytes: number, error: unknown): number {
    const text = `${this.#otherFile(error)}${reasonOf(error)}`;
    this.#log.error(`${what} of ${lengthBytes} bytes at ${offset} failed: ${text}`);
    return error instanceof SystemError ? error.errno : EIO;
  }

  /** The file an error is about, if that is not the image's own, which is in every line anyway. */
  #otherFile(error: unknown): string {
    const isAboutFile = error instanceof SystemError || error instanceof ImageFormatError;
    const path = isAboutFile ? error.path : undefined;
    return path === undefined || path === this.access.path ? "" : `${path}: `;
  }
}
