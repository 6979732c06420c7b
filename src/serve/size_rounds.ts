/**
 * Has all threads take notice of the image's size, and tells when they have.
 *
 * @module
 */
import type { SharedState } from "../loop/shared_state.ts";

export class SizeRounds {
  readonly #shared: SharedState;
  /** What {@link SharedState.sizesTaken} will be when all threads know the size. */
  #asked = 0;
  #waiting: (() => void)[] = [];

  constructor(shared: SharedState) {
    this.#shared = shared;
  }

  /**
   * So many threads have been asked once more.
   *
   * @param done called when every one of them goes by the size
   */
  begin(threads: number, done: () => void): void {
    this.#asked += threads;
    this.#waiting.push(done);
  }

  /**
   * Has `announce` called if all threads go by the size, then those who wait for that. Not earlier:
   * whoever asks after that must not get the old size from a slower thread.
   */
  endIfTaken(announce: () => void): void {
    if (this.#waiting.length === 0 || this.#shared.sizesTaken !== this.#asked) return;
    announce();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done();
  }
}
