/**
 * How many units an image has ready before they are asked for: twice as many as last time if those were not
 * enough.
 *
 * @module
 */

const FIRST = 4;
/** Neither more units nor more bytes, but always one. */
const MOST = { units: 128, bytes: 256 * 1024 * 1024 } as const;

export class ReserveSize {
  readonly #most: number;
  #wanted: number;
  #hasRunOut = false;

  constructor(unitBytes: number) {
    this.#most = Math.max(1, Math.min(MOST.units, MOST.bytes / unitBytes));
    this.#wanted = Math.min(FIRST, this.#most);
  }

  /** How many there had better be. */
  get wanted(): number {
    return this.#wanted;
  }

  /** Says that there were none left. */
  ranOut(): void {
    this.#hasRunOut = true;
  }

  /** Says that the reserve is about to be filled. */
  adapt(): void {
    if (this.#hasRunOut) this.#wanted = Math.min(Math.max(1, this.#wanted * 2), this.#most);
    this.#hasRunOut = false;
  }

  /** Wants no more, unless they run out. */
  stop(): void {
    this.#wanted = 0;
  }
}
