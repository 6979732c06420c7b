/**
 * What the loop of a thread needs to know of its surroundings.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import type { ErrorLog } from "./failures.ts";
import type { SharedState } from "./shared_state.ts";
import type { WritePolicy } from "./write_policy.ts";

/** Threads that do a part of the work of this one, as far as its loop has to know of them. */
export interface Helpers {
  /** Whether some of their work is not done, or nobody has been told yet. */
  readonly busy: boolean;
  /** Readable when work is done while {@link Helpers.fallAsleep} is in force. */
  readonly wakeFd: number;
  /** Empties what {@link Helpers.wakeFd} is. */
  drain(): void;
  /** Tells those whose work is done. */
  reap(): void;
  /** This thread is about to sleep; false if it had better not: some work is done. */
  fallAsleep(): boolean;
  wakeUp(): void;
  /** Gives the memory back that no work needs now. */
  releaseMemory(): void;
}

/** Room that channels may wait for. */
export interface Room {
  /** Whether some has been freed since the last call. */
  takeFreed(): boolean;
}

export interface LoopContext {
  readonly access: ImageAccess;
  readonly shared: SharedState;
  readonly log: ErrorLog;
  /** Number of this thread; 0 is the main one. */
  readonly thread: number;
  readonly maySpin: boolean;
  readonly writePolicy: WritePolicy;
  /** Threads that decompress for this one. */
  readonly decoding?: Helpers;
  /** What channels wait for that need more memory than there is; they are served again then. */
  readonly room: Room;
  /** After this time or twice as much without traffic, memory is given back; 0 for never. */
  readonly cleanIntervalMs: number;
  /** Called when a connection has ended. */
  readonly onConnectionEnd: () => void;
  /** Called now and then while there is more to do than this thread can. */
  readonly onOverload: () => void;
}
