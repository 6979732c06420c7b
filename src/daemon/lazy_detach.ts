/**
 * Having the own device detached as soon as nobody uses it.
 *
 * @module
 */
import { startThread } from "../serve/start_thread.ts";
import { haveLeave } from "../kernel/nbd.ts";
import { writeText } from "../sys/files.ts";
import { DaemonFd, LEAVE } from "./job.ts";
import type { OwnState } from "./own_state.ts";
import type { AttachState } from "./state.ts";

/** What the thread gets that does it. */
export interface LazyDetachStart {
  readonly state: AttachState;
  /** Descriptor of the daemon's state file. */
  readonly stateFd: number | undefined;
  /** Descriptor of the nbd driver's control socket, of an nbd device. */
  readonly controlFd: number | undefined;
  /** Descriptors that only the other threads may hold. */
  readonly served: readonly number[];
  /** One 32-bit word: 1 until the thread is done. */
  readonly isUnderWay: SharedArrayBuffer;
}

interface LazyDetachMeans {
  readonly own: OwnState;
  readonly controlFd: number | undefined;
}

export class LazyDetach {
  readonly #served: readonly number[];
  readonly #isUnderWay = new Int32Array(new SharedArrayBuffer(4));

  readonly #own: OwnState;
  readonly #controlFd: number | undefined;

  /** @param served descriptors through which the device is served */
  constructor(served: readonly number[], { own, controlFd }: LazyDetachMeans) {
    this.#own = own;
    this.#controlFd = controlFd;
    this.#served = [...served, DaemonFd.Watch];
  }

  /**
   * Starts it, unless it is under way already.
   *
   * @throws {Error} where there is a want of threads, descriptors or memory: it may be tried again
   */
  start(state: AttachState): void {
    if (Atomics.exchange(this.#isUnderWay, 0, 1) === 1) return;
    const start: LazyDetachStart = {
      state,
      stateFd: this.#own.fd,
      controlFd: this.#controlFd,
      served: this.#served,
      isUnderWay: this.#isUnderWay.buffer as SharedArrayBuffer,
    };
    try {
      startThread("device/lazy_detach_thread").postMessage(start);
    } catch (error) {
      Atomics.store(this.#isUnderWay, 0, 0);
      throw error;
    }
  }
}

/**
 * Has the watcher tell the kernel that the nbd device goes with its last close: it may.
 *
 * @throws {SystemError} EPIPE if there is no watcher, and as {@link haveLeave}
 */
export function askWatcherToLeave(controlFd: number): void {
  haveLeave(controlFd, () => writeText(DaemonFd.Watch, LEAVE));
}
