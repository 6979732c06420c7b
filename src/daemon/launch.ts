/**
 * Starting daemons.
 *
 * @module
 */
import { SystemError } from "../sys/errno.ts";
import type { Job } from "./job.ts";
import type { JobDescriptors, Launching } from "./launched.ts";
import { DaemonScope } from "./scope.ts";
import { WaitingDaemon } from "./waiting_daemon.ts";

/**
 * The daemons of one command. The runtime takes a third of an attach to start, so that the first
 * daemon may be started before it is known what exactly it is to do. One that never gets a job is
 * ended with this.
 */
export class Daemons implements Disposable {
  readonly #mayLeaveUnit: boolean;
  #waiting: WaitingDaemon | undefined;

  /** @param mayLeaveUnit whether daemons of devices are to outlive the unit, or login, of the command */
  constructor({ mayLeaveUnit }: { readonly mayLeaveUnit: boolean }) {
    this.#mayLeaveUnit = mayLeaveUnit;
  }

  /** Starts a daemon for {@link Daemons.launch}; that will tell if it cannot be started. */
  startAhead(transport: "device" | "socket"): void {
    try {
      this.#waiting = this.#start(transport);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }

  /**
   * Hands a daemon its job; starts one if none is waiting.
   *
   * @param descriptors sent along; but for the state file they are closed here
   * @throws {SystemError} if it cannot be started
   */
  launch(job: Job, descriptors: JobDescriptors): Launching {
    const daemon = this.#waiting ??= this.#start(job.transport);
    daemon.handOver(job, descriptors);
    this.#waiting = undefined;
    return daemon;
  }

  #start(transport: "device" | Job["transport"]): WaitingDaemon {
    const servesDevice = transport !== "socket";
    const scope = servesDevice && this.#mayLeaveUnit ? DaemonScope.begin() : undefined;
    return new WaitingDaemon(servesDevice, scope);
  }

  [Symbol.dispose](): void {
    this.#waiting?.[Symbol.dispose]();
    this.#waiting = undefined;
  }
}
