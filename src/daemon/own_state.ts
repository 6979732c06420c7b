/**
 * The state of a daemon, as that daemon itself sees it: through the file that it holds.
 *
 * @module
 */
import { openFileStatus } from "../sys/files.ts";
import type { AttachState, StateStore } from "./state.ts";
import { appendLine, readLines } from "./state_file.ts";

export class OwnState {
  readonly #fd: number | undefined;
  readonly #states: StateStore;

  /** @param fd what came with the job, if anything; it stays open, and locked, until the daemon ends */
  constructor(fd: number | undefined, states: StateStore) {
    this.#fd = fd;
    this.#states = states;
  }

  /** What the command has written, and what has changed since; undefined before it has. */
  read(): Partial<AttachState> | undefined {
    return this.#fd === undefined ? undefined : readLines(this.#fd);
  }

  change(changes: Partial<AttachState>): void {
    if (this.#fd !== undefined) appendLine(this.#fd, changes);
  }

  /** Removes its file, whatever that is called by now. */
  remove(): void {
    if (this.#fd !== undefined) this.#states.removeFile(openFileStatus(this.#fd).inode);
  }
}
