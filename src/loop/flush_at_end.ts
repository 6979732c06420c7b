/**
 * The flush of a daemon that ends.
 *
 * @module
 */
import type { RoundOutcome, SyncRound } from "../disk/sync_round.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { SystemError } from "../sys/errno.ts";
import type { SharedState } from "./shared_state.ts";

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
  const outcome = round.isOver ? "lost" : makeRound(round, sync);
  if (outcome === "lost") shared.setFlushFailed();
  shared.endSync();
  return outcome === "durable" && !shared.flushFailed;
}

/** The error number, or 0. */
function syncHere(file: ImageFile): number {
  try {
    file.sync();
    return 0;
  } catch (error) {
    if (error instanceof SystemError) return error.errno;
    throw error;
  }
}

function makeRound(round: SyncRound, sync: (file: ImageFile) => number): RoundOutcome {
  round.begin("everything");
  const outcome = makeSyncs(round, sync);
  round.end(outcome);
  return outcome;
}

function makeSyncs(round: SyncRound, sync: (file: ImageFile) => number): RoundOutcome {
  for (;;) {
    const files = filesOf(round);
    if (files === undefined) return round.isOver ? "lost" : "unwritten";
    if (files.length === 0) return "durable";
    // Every file, though one has failed.
    const failed = files.filter((file) => sync(file) !== 0);
    for (const file of failed) file.syncFailed();
    if (failed.length > 0) return "lost";
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
