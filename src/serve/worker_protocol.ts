/**
 * What the main thread and its worker threads say to each other.
 *
 * @module
 */
import type { SharedImage } from "../disk/open.ts";
import type { WritePolicy } from "../loop/write_policy.ts";
import type { ServedLayout } from "../view/served_layout.ts";

/** The one message a worker gets; after it, it only watches its control pipe. */
export interface WorkerStart extends SharedImage {
  readonly thread: number;
  /** For the log. */
  readonly imagePath: string;
  readonly sectorBytes: number;
  /** As {@link FuseFile.servedLayout}. */
  readonly servedLayout?: ServedLayout;
  readonly sharedMemory: SharedArrayBuffer;
  /** As {@link SharedState.lostAddress}. */
  readonly lostAddress?: number | undefined;
  readonly maySpin: boolean;
  readonly writePolicy: WritePolicy;
  readonly cleanIntervalMs: number;
  /** Read end of the control pipe; the main thread's. */
  readonly controlFd: number;
  /** Write end of the main thread's wake-up pipe. */
  readonly wakeFd: number;
}

/** Control record: i32 what, i32 file descriptor, -1 where it is about none. */
export const CONTROL = { size: 8, what: 0, fd: 4 } as const;

export const Control = {
  /** Serve a socket that is in the transmission phase. */
  AddKernelSocket: 1,
  /** Serve a new client. */
  AddClient: 2,
  /** Share in a FUSE session. */
  AddFuse: 3,
  /** Take notice of the image's size. */
  RefreshSize: 4,
  /** End all connections. */
  Finish: 5,
} as const;
export type Control = typeof Control[keyof typeof Control];
