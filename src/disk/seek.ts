/**
 * Looking for data and holes, as lseek(2) does.
 *
 * @module
 */
import { Run } from "./runs.ts";
import type { ImageAccess } from "./image_access.ts";

/** Runs looked at in one step, so that nobody else waits long. */
const RUNS_A_STEP = 512;

/** One search; used again for the next one. */
export class DiskSeek {
  readonly #run = new Run();
  /** Where the search has come to; the answer when it is over. -1 if nothing stored follows. */
  offset = 0;
  /** Whether a hole is looked for; else what is stored. The end of the disk counts as a hole. */
  wantsHole = false;

  /** Whether it may wait for a disk, and what came in its way. */
  get attempt(): Run["attempt"] {
    return this.#run.attempt;
  }

  /**
   * Goes on for a while. Reads metadata only.
   *
   * @returns `blocked` if that would wait for a disk, and may not
   * @throws {ImageFormatError} if the image is damaged there
   */
  step(access: ImageAccess): "found" | "more" | "blocked" {
    const { sizeBytes } = access;
    for (let runs = 0; runs < RUNS_A_STEP; runs++) {
      if (this.offset >= sizeBytes) {
        this.offset = this.wantsHole ? sizeBytes : -1;
        return "found";
      }
      if (!access.findRun(this.offset, sizeBytes - this.offset, this.#run)) return "blocked";
      if (this.#run.isZero === this.wantsHole) return "found";
      this.offset += this.#run.lengthBytes;
    }
    return "more";
  }
}
