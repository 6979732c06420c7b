/**
 * Deriving a key may take minutes, and nothing interrupts it. The guard is another thread, which ends the
 * process meanwhile if its command has gone.
 *
 * @module
 */
import { startThread } from "../serve/start_thread.ts";
import type { Fd } from "../sys/files.ts";
import { type BoundSocket, pipe } from "../sys/sockets.ts";
import { DaemonFd, type Job } from "./job.ts";
import type { OwnState } from "./own_state.ts";
import type { Surroundings } from "./surroundings.ts";

/** What the thread gets. */
export interface GuardStart {
  /** Its other end is closed when the command has gone. */
  readonly lifelineFd: number;
  /** Its other end is closed when the guard is no longer needed; the thread's to close. */
  readonly overFd: number;
  /** What the command has made for this process: to be removed. */
  readonly socket?: BoundSocket;
  readonly stateDirectory: string;
  readonly stateFd?: number;
}

export class Guard implements Disposable {
  /** Closed when it is no longer needed. */
  readonly #over: Fd;

  constructor(
    { socket }: Pick<Job, "socket">,
    { surroundings, own }: { readonly surroundings: Surroundings; readonly own: OwnState },
  ) {
    const [overEnd, over] = pipe();
    this.#over = over;
    const start: GuardStart = {
      lifelineFd: DaemonFd.Lifeline,
      overFd: overEnd.release(),
      ...(socket === undefined ? {} : { socket }),
      stateDirectory: surroundings.stateDirectory,
      ...(own.fd === undefined ? {} : { stateFd: own.fd }),
    };
    startThread("daemon/guard_thread").postMessage(start);
  }

  [Symbol.dispose](): void {
    this.#over.close();
  }
}
