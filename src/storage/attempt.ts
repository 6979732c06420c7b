/**
 * One try at a request: whether it may wait, and what came in its way.
 *
 * @module
 */
import type { IoBuffer } from "../sys/memory.ts";
import type { ImageFile } from "./image_file.ts";
import type { SlowTask } from "./slow_lane.ts";

/** Somebody else's work that a request may have to wait for. */
export interface Awaited {
  /** Has `task` told when it is done. */
  addWaiter(task: SlowTask): void;
}

/** A part of a file. */
export class FileRange {
  file: ImageFile | undefined = undefined;
  hostOffset = 0;
  hostBytes = 0;

  set(file: ImageFile | undefined, hostOffset: number, hostBytes: number): void {
    this.file = file;
    this.hostOffset = hostOffset;
    this.hostBytes = hostBytes;
  }

  clear(): void {
    this.set(undefined, 0, 0);
  }

  covers(file: ImageFile, hostOffset: number, hostBytes: number): boolean {
    return file === this.file && hostOffset >= this.hostOffset &&
      hostOffset + hostBytes <= this.hostOffset + this.hostBytes;
  }
}

/**
 * Goes with a request through image access and the drivers, and is used again for the next one. What
 * has failed says why in {@link Attempt.awaited} or else in {@link Attempt.missing}; once that is
 * there, the request is tried again from its start.
 */
export class Attempt {
  /** Whether it may wait for a disk. */
  mayWait = true;
  /** Whether there is other work to do while another thread decodes for it. */
  mayDefer = false;
  /**
   * A range that has just been brought in for it, so that reading it once more will not wait. Only
   * files need it that cannot tell what is in the page cache.
   */
  readonly warm = new FileRange();
  /** After a failure: the range that has to be brought in first. */
  readonly missing = new FileRange();
  /** After a failure: whose work has to be done first; undefined if it is for {@link missing}. */
  awaited: Awaited | undefined = undefined;
  /** After a failure: whether changes have to become durable first, for they take all the room. */
  wantsFlush = false;

  /** A request begins, or is tried again. */
  begin(): void {
    this.awaited = undefined;
    this.wantsFlush = false;
  }

  /**
   * As {@link ImageFile.read}, if that is possible now.
   *
   * @returns false if it would have to wait, and may not: what `target` has then means nothing
   * @throws {SystemError} as pread(2)
   */
  read(
    file: ImageFile,
    target: IoBuffer,
    position: number,
    hostOffset: number,
    lengthBytes: number,
  ): boolean {
    if (this.mayWait || this.#isWarm(file, hostOffset, lengthBytes)) {
      file.read(target, position, hostOffset, lengthBytes);
      return true;
    }
    const atHand = file.readAtHand(target, position, hostOffset, lengthBytes);
    if (atHand === lengthBytes) return true;
    // Not what is at hand already: a long range comes in by several steps, each from where it ends.
    this.missing.set(file, hostOffset + atHand, lengthBytes - atHand);
    this.awaited = undefined;
    return false;
  }

  #isWarm(file: ImageFile, hostOffset: number, lengthBytes: number): boolean {
    return file.cacheKnowledge === "unknown" && this.warm.covers(file, hostOffset, lengthBytes);
  }
}
