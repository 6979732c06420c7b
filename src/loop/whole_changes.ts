/**
 * Changes of a disk that nobody is served: each is made whole before the next one, and waits for what it
 * has to.
 *
 * @module
 */
import { Change, ChangeKind } from "../disk/change.ts";
import { ChangeStep } from "../disk/change_step.ts";
import type { ImageAccess } from "../disk/image_access.ts";
import { Cleared, ClearOutcome, Placement, type Tables } from "../image/writing.ts";
import type { Attempt } from "../storage/attempt.ts";
import { EIO, SystemError } from "../sys/errno.ts";
import { IoBuffer } from "../sys/memory.ts";
import { concludeAfterFailure, concludeImage } from "./conclude.ts";
import { flushAtEnd } from "./flush_at_end.ts";
import { SharedState } from "./shared_state.ts";

/** Zeros are written in pieces of this size where nothing can say them. */
const ZEROS_BYTES = 1024 * 1024;
/** So much is freed or cleared at once. */
const PIECE_BYTES = 2 ** 30;

/** Each member throws {@link SystemError} or {@link ImageFormatError} if a change cannot be made. */
export class WholeChanges {
  readonly #access: ImageAccess;
  readonly #shared = new SharedState();
  readonly #change = new Change();
  #zeros: IoBuffer | undefined;

  constructor(access: ImageAccess) {
    this.#access = access;
  }

  /** Writes `lengthBytes` from the start of `source` on. */
  write(source: IoBuffer, offset: number, lengthBytes: number): void {
    this.#make(this.#change.ask(ChangeKind.Write, offset, lengthBytes).from(source, 0));
  }

  /** @param keepAllocated as {@link Change.keepAllocated} */
  writeZeros(offset: number, lengthBytes: number, { keepAllocated = false } = {}): void {
    const change = this.#change.ask(ChangeKind.WriteZeroes, offset, lengthBytes);
    change.keepAllocated = keepAllocated;
    this.#make(change);
  }

  discard(offset: number, lengthBytes: number): void {
    this.#make(this.#change.ask(ChangeKind.Discard, offset, lengthBytes));
  }

  #make(change: Change): void {
    while (change.restBytes > 0) {
      const step = this.#step(change);
      if (step > 0) change.doneBytes += step;
      else this.#flushFor(this.#access.changeAttempt, step);
      if (this.#access.wantsFlush) this.flush();
    }
  }

  #step(change: Change): number {
    const access = this.#access;
    if (change.kind === ChangeKind.Write) return access.write(change);
    const step = access.clear(change, PIECE_BYTES);
    if (step !== ChangeStep.Unable) return step;
    this.#zeros ??= IoBuffer.ofPages(ZEROS_BYTES);
    return access.writeZeros(change, this.#zeros, ZEROS_BYTES);
  }

  /** What may wait for everything else is blocked by changes only that take all the room. */
  #flushFor({ wantsFlush }: Attempt, step: number): void {
    if (!wantsFlush) throw new Error(`a change that may wait came to ${step}`);
    this.flush();
  }

  /**
   * Has an image have nothing of its own any more: what lies below it shows everywhere.
   *
   * @throws {Error} if it has no tables that could say so
   */
  empty(): void {
    const { image: { writing, sizeBytes } } = this.#access;
    const tables = writing?.tables;
    if (tables === undefined) throw new Error("an image without tables is never empty");
    const placement = new Placement();
    for (let at = 0; at < sizeBytes;) {
      placement.attempt.begin();
      const count = this.#clear(tables, at, sizeBytes - at, placement);
      if (count > 0) at += count;
      else this.#flushFor(placement.attempt, count);
      if (this.#access.wantsFlush) this.flush();
    }
  }

  #clear(tables: Tables, offset: number, lengthBytes: number, placement: Placement): number {
    const count = tables.clear(offset, lengthBytes, Cleared.Nothing, placement);
    if (count === ClearOutcome.Unable) throw new Error("a cluster that cannot be dropped");
    return count;
  }

  /** Makes the disk larger; throws as {@link ImageAccess.grow}. */
  grow(sizeBytes: number): void {
    this.#access.grow(sizeBytes, this.#isFlushed);
  }

  readonly #isFlushed = (): boolean => {
    const { round } = this.#access;
    return round === undefined || flushAtEnd(round, this.#shared);
  };

  /** Makes durable what has been changed, and frees what that has made free. */
  flush(): void {
    if (!this.#isFlushed()) throw this.#lost();
    while (this.#access.freeSome());
  }

  /** Makes everything durable, and closes the image in order. */
  conclude(): void {
    if (!concludeImage(this.#access, this.#shared)) throw this.#lost();
  }

  /**
   * Has `act` make changes, and closes the image in order, also if one of them fails.
   *
   * @throws {Error} what has failed, and in which file where that is the system's
   */
  concluding(act: () => void): void {
    try {
      act();
    } catch (error) {
      concludeAfterFailure(this.#access, this.#shared);
      throw named(error);
    }
    this.conclude();
  }

  #lost(): SystemError {
    return new SystemError("fdatasync", EIO, this.#access.path);
  }
}

/** There are two images: one of them may be on a disk that is full. */
function named(error: unknown): unknown {
  if (!(error instanceof SystemError) || error.path === undefined) return error;
  return new Error(`${error.path}: ${error.message}`, { cause: error });
}
