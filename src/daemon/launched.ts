/**
 * Daemons as those see them who have started them.
 *
 * @module
 */
import type { Fd } from "../sys/files.ts";
import type { Heritage } from "./heritage.ts";
import type { Answer } from "./job.ts";
import type { DescriptorLists } from "./job_descriptors.ts";
import type { ProcessIdentity } from "./processes.ts";
import type { UnfinishedFile } from "./state_file.ts";

/** The descriptors that come with a job. */
export interface JobDescriptors {
  /** What is to be served. */
  readonly served: readonly Fd[];
  /** The daemon's state file, for it to hold, with its control socket; stays the caller's. */
  readonly stateFile: Pick<UnfinishedFile, "fd" | "control">;
  /** The control socket of the nbd driver. */
  readonly control?: Fd;
  /** Memory that outlives the daemon, if another one may take its place; stays the caller's. */
  readonly kept?: Fd;
  /** What one that was killed has left to it; stays the caller's. */
  readonly left?: Pick<DescriptorLists, "root" | "kept" | "keys" | "files" | "witnesses">;
}

/** A daemon that has answered. */
export interface Launched {
  readonly process: ProcessIdentity;
  readonly answer: Answer;
  /**
   * Whether it may have to wait, for memory, until what was written to its own device is written back:
   * for ever. It could not be kept from that.
   */
  readonly mayWaitForItself: boolean;
  /**
   * Has the daemon hand over what another one needs to take its place; it is to be asked for once, when
   * nothing is left that would wait for the daemon.
   *
   * @returns undefined if none can
   * @throws {SystemError} EPIPE if it has been killed
   */
  heritage(): (Heritage & Disposable) | undefined;
  /** Tells the daemon that its device, or socket, is set up at this path. */
  confirm(device: string): void;
  /** Makes the daemon end, unless it was confirmed. */
  abandon(): void;
  /** Reads as {@link DONE} when the daemon ends in order, and just ends when it is killed. */
  readonly watch: Fd;
}

/** A daemon has ended without an answer. */
export class DaemonDiedError extends Error {
  override readonly name = "DaemonDiedError";
}

/** A daemon that has its job. */
export interface Launching {
  /**
   * Waits for what it says.
   *
   * @throws {DaemonDiedError} if it ends without an answer
   */
  answer(patience?: Patience): Launched;
}

/** Who is told while a daemon lets others wait. */
export interface Patience {
  /** Called once if nothing is heard of it for some seconds. */
  readonly onSlow?: () => void;
  /** Called now and then with how far it is, from 0 to 1. */
  readonly onProgress?: (part: number) => void;
}
