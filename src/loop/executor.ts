/**
 * Executes the requests of one thread on its image, whatever protocol they came by.
 *
 * What can be done without waiting for a disk is done at once. A read that would have to wait is
 * parked, and run again when the slow lane has done its part. A flush is parked until it is done, and
 * so is a change that takes long.
 *
 * @module
 */
import type { Change } from "../disk/change.ts";
import type { ImageAccess } from "../disk/image_access.ts";
import { syncOf } from "../disk/sync_round.ts";
import type { Attempt } from "../storage/attempt.ts";
import type { SlowLane } from "../storage/slow_lane.ts";
import { errorText } from "../sys/errno.ts";
import { nap } from "../sys/poll.ts";
import { reasonOf } from "../sys/reason.ts";
import { wakeThread } from "../sys/signals.ts";
import { ChangeRules } from "./change_rules.ts";
import { ChangeOutcome, Changes } from "./changes.ts";
import { type ErrorLog, type Failure, failuresOf } from "./failures.ts";
import { FlushQueue } from "./flush_queue.ts";
import type { ParkedRequest, RequestOwner } from "./parked_request.ts";
import { ReadyRequests } from "./ready_requests.ts";
import type { SharedState } from "./shared_state.ts";
import { Waits } from "./waits.ts";
import { DEFAULT_WRITE_POLICY, type WritePolicy } from "./write_policy.ts";

/** What changes are called in the log, by their kind. */
const CHANGE_NAMES = ["write", "discard", "write of zeros"] as const;

export interface ExecutorContext {
  readonly access: ImageAccess;
  readonly lane: SlowLane;
  readonly shared: SharedState;
  /** Number of the thread. */
  readonly thread: number;
  readonly log: ErrorLog;
  /** As the default has it, unless it is given. */
  readonly writePolicy?: WritePolicy;
}

export class Executor {
  readonly access: ImageAccess;
  readonly log: ErrorLog;
  /** Logs why a request failed. */
  readonly failure: Failure;
  /** How long requests may wait, and who does. */
  readonly waits: Waits;
  readonly #lane: SlowLane;
  readonly #shared: SharedState;
  readonly #flushes: FlushQueue;
  readonly #changes: Changes;
  readonly #ready = new ReadyRequests();
  readonly #rules: ChangeRules | undefined;

  constructor(context: ExecutorContext) {
    const { access, lane, shared, thread, log, writePolicy = DEFAULT_WRITE_POLICY } = context;
    this.access = access;
    this.#lane = lane;
    this.#shared = shared;
    this.log = log;
    this.#rules = ChangeRules.of(writePolicy);
    this.failure = failuresOf(access.path, log);
    const onFailure = (errno: number): void => log.error(`flush failed: ${errorText(errno)}`);
    const flushing = { lane, shared, thread, wake: wakeThread, onFailure };
    this.#flushes = new FlushQueue(access.round ?? syncOf([]), flushing);
    this.waits = new Waits(access, { lane, flushes: this.#flushes });
    this.#changes = new Changes({
      access,
      lane,
      waits: this.waits,
      failure: (change, error) => this.#changeFailure(change, error),
      onDone: (parked) => this.#changed(parked),
    });
  }

  /** Parks a request whose `attempt` has failed: its owner is asked to resume it. */
  park(parked: ParkedRequest, attempt: Attempt): void {
    parked.onReady = this.#ready.add;
    this.waits.add(parked, attempt);
  }

  /** Parks a request that has used up its share of this turn: it goes on in the next one. */
  postpone(parked: ParkedRequest): void {
    this.#ready.add(parked);
  }

  /** Parks a request until everything written so far is durable, if that matters; its `error` tells. */
  flush(parked: ParkedRequest): void {
    if (this.#rules?.ignoresFlushes) return this.#ready.add(parked);
    parked.onReady = this.#ready.add;
    this.#flushes.add(parked);
  }

  /**
   * Makes a change, or parks it for `owner`: the only way by which requests change the disk.
   *
   * @returns as {@link Changes.make}
   */
  change(change: Change, owner: RequestOwner): number {
    if (this.#rules?.adapt(change) === false) return 0;
    const outcome = this.#changes.make(change, owner);
    if (this.access.wantsFlush) this.writeBack();
    if (outcome !== 0 || !change.mustBeDurable) return outcome;
    this.#makeDurable(change, owner.park());
    return ChangeOutcome.Parked;
  }

  #changed(parked: ParkedRequest): void {
    const { change, error } = parked;
    if (error === 0 && change?.mustBeDurable) this.#makeDurable(change, parked);
    else this.#ready.add(parked);
  }

  /** One sync, if that is all it takes. */
  #makeDurable(change: Change, parked: ParkedRequest): void {
    parked.onReady = this.#ready.add;
    this.#flushes.add(parked, this.access.isRecorded(change) ? "what is written" : "everything");
  }

  #changeFailure({ kind, offset, lengthBytes }: Change, error: unknown): number {
    const errno = this.failure({ what: CHANGE_NAMES[kind], offset, lengthBytes }, error);
    if (this.access.hasLost) this.#shared.setFlushFailed();
    return errno;
  }

  /** Lets the changes go on that take several turns, and what they have left to free; whether any did. */
  goOn(): boolean {
    const changed = this.#changes.goOn();
    return this.#freeSome() || changed;
  }

  #freeSome(): boolean {
    try {
      return this.access.freeSome();
    } catch (error) {
      this.log.error(`what is free could not be given back: ${reasonOf(error)}`);
      return false;
    }
  }

  /** Begins to make durable what has been changed, though nobody has asked for it. */
  writeBack(): void {
    if (!this.#flushes.busy) this.#flushes.add({ finished: () => {} });
  }

  /** Whether channels should try again that found no room for a change's payload. */
  takeFreed(): boolean {
    return this.#changes.takeFreed();
  }

  releaseMemory(): void {
    this.#changes.releaseMemory();
  }

  /** Whether some request waits for a disk. */
  get busy(): boolean {
    return this.#lane.busy || this.waits.busy || this.#flushes.busy;
  }

  /** Whether some request waits for content that another thread brings, which tells nobody of it. */
  get isContentAwaited(): boolean {
    return this.access.isContentAwaited;
  }

  /** Finds out whose wait is over: they become ready to be resumed. */
  reap(): void {
    if (this.#lane.busy) this.#lane.reap();
    if (this.isContentAwaited) this.access.reapArrived();
    if (this.#flushes.busy) this.#flushes.reap();
    this.waits.reap();
  }

  /** Has the parked requests answered whose turn has come; whether any was. */
  resumeReady(): boolean {
    return this.#ready.resume();
  }

  /**
   * Leaves it to the slow lane to wake the thread up.
   *
   * @returns false if it had better not sleep: there is something to be done at once
   */
  fallAsleep(): boolean {
    this.waits.fallAsleep();
    const isOver = this.#flushes.fallAsleep() && !this.#lane.needsReaping;
    // What has just been reaped may let a change go on.
    return isOver && !this.#ready.hasNews && !this.#changes.busy;
  }

  /** Waits for the end of a sync that this thread has begun: others would wait for it for ever. */
  finishSync(): void {
    while (this.#flushes.isSyncing) this.#reapAndNap();
  }

  /**
   * Waits until every flush of this thread has been told what came of it: one that waits for the next sync
   * would take any for its own, whoever makes it, and whatever that could not write.
   */
  finishFlushes(): void {
    while (this.#flushes.busy) {
      this.#flushes.reap();
      this.#reapAndNap();
    }
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
}
