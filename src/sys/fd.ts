/**
 * File descriptors that know who closes them.
 *
 * @module
 */
import { libc } from "./libc.ts";

/** An open file descriptor that closes itself at the end of its scope. */
export class Fd implements Disposable {
  #number: number;

  constructor(number: number) {
    this.#number = number;
  }

  get number(): number {
    return this.#number;
  }

  close(): void {
    if (this.#number >= 0) libc().close(this.#number);
    this.#number = -1;
  }

  /** Gives the descriptor away: closing it becomes the caller's task. */
  release(): number {
    const number = this.#number;
    this.#number = -1;
    return number;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A descriptor that is somebody else's, who outlives this: nothing here can close it. */
export class LentFd implements Disposable {
  constructor(readonly number: number) {}

  /** Leaves it open. */
  [Symbol.dispose](): void {}
}
