/**
 * The state of a daemon, as that daemon itself sees it: through the file that it holds.
 *
 * @module
 */
import { openFileStatus } from "../sys/files.ts";
import { type AttachState, isComplete, type StateStore } from "./state.ts";
import { appendLine, readLines } from "./state_file.ts";

export class OwnState {
  readonly #fd: number | undefined;

  /** @param fd what came with the job, if anything; it stays open, and locked, until the daemon ends */
  constructor(fd: number | undefined) {
    this.#fd = fd;
  }

  /** The descriptor. */
  get fd(): number | undefined {
    return this.#fd;
  }

  /** What the command has written, and what has changed since; undefined before it has. */
  read(): AttachState | undefined {
    const state = this.#fd === undefined ? undefined : readLines(this.#fd);
    return isComplete(state) ? state : undefined;
  }

  change(changes: Partial<AttachState>): void {
    if (this.#fd !== undefined) appendLine(this.#fd, changes);
  }

  /** Removes its file, whatever that is called by now. */
  remove(states: StateStore): void {
    if (this.#fd !== undefined) states.removeFile(openFileStatus(this.#fd).inode);
  }
}
