/**
 * Flushes: makes durable what has been written, and says whether that has gone well.
 *
 * All flushes of a daemon share syncs, whichever of its threads they come by. Syncs are numbered; there
 * is only one under way at a time, and a flush needs one that began after it was asked for.
 *
 *     thread 0   flush A ─ sync 1 ─────── A told
 *     thread 1       flush B, flush C ··········· sync 2 ─────── B and C told
 *
 * One at a time, because the kernel tells an error of writing back only once to each open file, which
 * all threads share: of two syncs at the same time one is told what is about the data of both, and the
 * other one succeeds (Documentation/filesystems/vfs.rst, "Handling errors during writeback"). So
 *
 * 1. whoever syncs does it between `beginSync` and `endSync`: no two syncs overlap,
 * 2. an error is there for all to see, for good, before the sync that was told of it ends,
 * 3. a flush looks for errors when a sync has ended that began after the data was written.
 *
 * That sync has waited until the data were written back. If they could not be, it was told so, or else
 * an earlier one was: that has ended before this one began, and has left the mark which 3 finds.
 *
 * Where tables say what is where, what is written later builds on what was written before. After a sync
 * that has failed nothing is written then: rounds are over, and every flush is told that it has failed.
 *
 * @module
 */
import type { RoundOutcome, Scope, SyncRound } from "../disk/sync_round.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { EIO, SystemError } from "../sys/errno.ts";
import type { SlowLane, SlowTask } from "../storage/slow_lane.ts";
import type { SharedState } from "./shared_state.ts";

export interface FlushContext {
  readonly lane: Pick<SlowLane, "sync">;
  readonly shared: SharedState;
  /** Number of the thread the queue is of. */
  readonly thread: number;
  /** Wakes up another thread. */
  readonly wake: (thread: number) => void;
  /** Called when a sync of this thread has failed. */
  readonly onFailure: (errno: number) => void;
}

/** A flush that has not been answered. */
interface Flush {
  readonly task: SlowTask;
  /** Number of the sync it needs. */
  readonly sync: number;
  readonly scope: Scope;
  /** Why something could not be written in that sync; 0 if it could. */
  errno: number;
}

/** The flushes of one thread. Tasks are told in {@link FlushQueue.reap} only. */
export class FlushQueue {
  readonly #round: SyncRound;
  readonly #context: FlushContext;
  /** In the order they were asked for, which is that of their syncs. */
  #waiting: Flush[] = [];
  /** Files that the sync under way has still to make durable, if it is one of this thread. */
  #filesToGo = 0;
  #isLost = false;
  /** Number of the last sync of this thread. */
  #sync = 0;

  /** @param round what a sync of this thread consists of */
  constructor(round: SyncRound, context: FlushContext) {
    this.#round = round;
    this.#context = context;
  }

  /** Whether some task has not been told. */
  get busy(): boolean {
    return this.#waiting.length > 0;
  }

  /** Whether the sync under way is one of this thread. */
  get isSyncing(): boolean {
    return this.#filesToGo > 0;
  }

  /** Has `task` told when everything so far (of that `scope`) is durable, or that it is not (EIO). */
  add(task: SlowTask, scope: Scope = "everything"): void {
    this.#waiting.push({ task, sync: this.#context.shared.nextSync, scope, errno: 0 });
    this.#begin();
  }

  /** Tells the tasks whose sync has ended, and has the next one begin. */
  reap(): void {
    const { shared } = this.#context;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (!shared.hasSyncEnded(first.sync)) return this.#begin();
      this.#waiting.shift();
      first.task.finished(shared.flushFailed ? EIO : first.errno);
    }
  }

  /**
   * Says that this thread is about to sleep. Another one whose sync it waits for will wake it.
   *
   * @returns false if it had better not: {@link FlushQueue.reap} has something to do
   */
  fallAsleep(): boolean {
    const { shared, thread } = this.#context;
    const first = this.#waiting[0];
    if (first === undefined || this.isSyncing) return true;
    // First this: a sync that ends after it has been looked at sees who waits.
    shared.awaitSyncEnd(thread);
    return shared.isSyncing && !shared.hasSyncEnded(first.sync);
  }

  #begin(): void {
    const { shared } = this.#context;
    const sync = shared.nextSync;
    if (!shared.beginSync()) return;
    this.#sync = sync;
    this.#isLost = false;
    if (this.#isOver()) return this.#end();
    this.#round.begin(this.#scopeOf(sync));
    this.#goOn();
  }

  /** What those need who wait for a sync. Where others might, in other threads, there are no tables. */
  #scopeOf(sync: number): Scope {
    const needsAll = this.#waiting.some((flush) =>
      flush.sync === sync && flush.scope === "everything"
    );
    return needsAll ? "everything" : "what is written";
  }

  /** Whether rounds are over, which may have been found out by a write that was not of a round. */
  #isOver(): boolean {
    if (!this.#round.isOver) return false;
    const { shared, onFailure } = this.#context;
    if (!shared.flushFailed) onFailure(EIO);
    shared.setFlushFailed();
    return true;
  }

  /** Writes what comes next, and has it synced. */
  #goOn(): void {
    if (this.#isOver()) return this.#endRound("lost");
    try {
      const files = this.#round.next();
      this.#filesToGo = files.length;
      for (const file of files) {
        this.#context.lane.sync(file, { finished: (errno) => this.#fileSynced(file, errno) });
      }
      if (files.length === 0) this.#endRound("durable");
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#couldNotWrite(error.errno);
      this.#endRound(this.#isOver() ? "lost" : "unwritten");
    }
  }

  /** Those are told that wait for this sync, though other ones may come before that. */
  #couldNotWrite(errno: number): void {
    for (const flush of this.#waiting) if (flush.sync === this.#sync) flush.errno = errno;
    this.#context.onFailure(errno);
  }

  #fileSynced(file: ImageFile, errno: number): void {
    if (errno !== 0) {
      this.#isLost = true;
      file.syncFailed();
      this.#context.shared.setFlushFailed();
      this.#context.onFailure(errno);
    }
    if (--this.#filesToGo > 0) return;
    if (this.#isLost) this.#endRound("lost");
    else this.#goOn();
  }

  #endRound(outcome: RoundOutcome): void {
    this.#round.end(outcome);
    this.#end();
  }

  #end(): void {
    const { shared, thread, wake } = this.#context;
    shared.endSync();
    const sleepers = shared.takeSyncAwaiters();
    for (let other = 0; sleepers >> other !== 0; other++) {
      if (other !== thread && (sleepers >> other & 1) !== 0) wake(other);
    }
  }
}
