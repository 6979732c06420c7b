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
 * @module
 */
import type { RoundOutcome, SyncRound } from "../disk/sync_round.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { EIO, SystemError } from "../sys/errno.ts";
import { type SlowLane, type SlowTask, syncHere } from "../storage/slow_lane.ts";
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
  /** The last sync in which something could not be written, and why. */
  #failed = { sync: 0, errno: 0 };
  readonly #oneDone: SlowTask = { finished: (errno) => this.#fileSynced(errno) };

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

  /** Has `task` told when everything written so far is durable, or that it is not (EIO). */
  add(task: SlowTask): void {
    this.#waiting.push({ task, sync: this.#context.shared.nextSync });
    this.#begin();
  }

  /** Tells the tasks whose sync has ended, and has the next one begin. */
  reap(): void {
    const { shared } = this.#context;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (!shared.hasSyncEnded(first.sync)) return this.#begin();
      this.#waiting.shift();
      first.task.finished(shared.flushFailed ? EIO : this.#errnoOf(first.sync));
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

  #errnoOf(sync: number): number {
    return sync === this.#failed.sync ? this.#failed.errno : 0;
  }

  #begin(): void {
    const { shared } = this.#context;
    const sync = shared.nextSync;
    if (!shared.beginSync()) return;
    this.#failed = { sync, errno: 0 };
    this.#isLost = false;
    this.#round.begin();
    this.#goOn();
  }

  /** Writes what comes next, and has it synced. */
  #goOn(): void {
    try {
      const files = this.#round.next();
      this.#filesToGo = files.length;
      for (const file of files) this.#context.lane.sync(file, this.#oneDone);
      if (files.length === 0) this.#endRound("durable");
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#failed.errno = error.errno;
      this.#context.onFailure(error.errno);
      this.#endRound("unwritten");
    }
  }

  #fileSynced(errno: number): void {
    if (errno !== 0) {
      this.#isLost = true;
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

/**
 * The last flush of a daemon, when nobody writes any more: waits for it, and for the sync of another
 * thread that may still be under way for somebody who has gone. Closing the files, which comes after
 * it, has nothing left to write that it could fail to.
 *
 * @param sync makes a file durable; the error number, or 0
 * @returns whether everything that has ever been written is durable
 */
export function flushAtEnd(
  round: SyncRound,
  shared: SharedState,
  sync: (file: ImageFile) => number = syncHere,
): boolean {
  while (!shared.beginSync()) shared.waitForSyncEnd();
  const outcome = makeRound(round, sync);
  if (outcome === "lost") shared.setFlushFailed();
  round.end(outcome);
  shared.endSync();
  return outcome === "durable" && !shared.flushFailed;
}

function makeRound(round: SyncRound, sync: (file: ImageFile) => number): RoundOutcome {
  round.begin();
  for (;;) {
    const files = filesOf(round);
    if (files === undefined) return "unwritten";
    if (files.length === 0) return "durable";
    // Every file, though one has failed.
    if (files.filter((file) => sync(file) !== 0).length > 0) return "lost";
  }
}

/** What is to be synced next; undefined if it could not be written. */
function filesOf(round: SyncRound): readonly ImageFile[] | undefined {
  try {
    return round.next();
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}
