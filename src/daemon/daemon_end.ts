/**
 * Waiting for the end of a daemon, and hearing how it went.
 *
 * @module
 */
import type { Fd } from "../sys/files.ts";
import { hasGone, waitUntil } from "./processes.ts";
import type { AttachState, Outcome } from "./state.ts";
import { isHeld, openPlace, readLines } from "./state_file.ts";

/** The end of a daemon, as whoever waits for it sees it. Its state file may be gone by then. */
export class DaemonEnd implements Disposable {
  readonly #state: AttachState;
  readonly #file: Fd | undefined;

  constructor(state: AttachState) {
    this.#state = state;
    this.#file = state.file && openPlace(state.file, "read");
  }

  /** Whether it has come: all files of the daemon are closed, and unlocked. */
  get hasCome(): boolean {
    const { isHeld: tellsByLock, device } = this.#state;
    if (tellsByLock === true && this.#file !== undefined && isHeld(this.#file, device)) {
      return false;
    }
    return hasGone(this.#state);
  }

  /** @returns false if it has not come within `timeoutMs` */
  wait(timeoutMs: number): boolean {
    return waitUntil(() => this.hasCome, timeoutMs);
  }

  /**
   * The daemon's last word. Undefined where none could be heard: its file was gone already, or it is
   * an earlier version's.
   */
  get outcome(): Outcome | "none" | undefined {
    if (this.#file === undefined) return undefined;
    const { outcome }: Partial<AttachState> = readLines(this.#file.number) ?? {};
    return outcome ?? (this.#state.isHeld === true ? "none" : undefined);
  }

  [Symbol.dispose](): void {
    this.#file?.close();
  }
}
