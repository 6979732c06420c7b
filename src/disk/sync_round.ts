/**
 * What it takes to make durable what has been changed: one sync after the other.
 *
 * @module
 */
import type { ImageFile } from "../storage/image_file.ts";

/**
 * What is to become durable: everything, or what has been written, without what has still to be written
 * of tables.
 */
export type Scope = "everything" | "what is written";

/** One round at a time: `begin`, `next` until it says that nothing is left, `end`. */
export interface SyncRound {
  /**
   * Whether something has been lost that all further writes would build on: neither is a round to be
   * begun any more, nor one to go on. Once it is so, it stays so.
   */
  readonly isOver: boolean;
  /** Whatever has been changed, or written, up to now is to become durable. */
  begin(scope: Scope): void;
  /**
   * Writes what comes next; the sync before has succeeded.
   *
   * @returns the files to be synced before the next call; none if that was all
   * @throws {SystemError} if it cannot be written: the round has failed, another one may do better
   */
  next(): readonly ImageFile[];
  /** The round is over. */
  end(outcome: RoundOutcome): void;
}

export type RoundOutcome =
  | "durable"
  /** Something could not be written. */
  | "unwritten"
  /** A sync has failed: nobody knows what is on the disk. */
  | "lost";

/** A round for files that are written to directly: all of them are synced. */
export function syncOf(files: readonly ImageFile[]): SyncRound {
  let isDone = false;
  return {
    isOver: false,
    begin: () => {
      isDone = false;
    },
    next: () => {
      const left = isDone ? [] : files;
      isDone = true;
      return left;
    },
    end: () => {},
  };
}
