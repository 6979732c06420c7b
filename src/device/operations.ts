/**
 * What can be done with what a daemon of ours serves: each transport does it in a way of its own.
 * (attachers.ts has what sets it up.)
 *
 * @module
 */
import type { Heritage } from "../daemon/heritage.ts";
import type { AttachState } from "../daemon/state.ts";
import type { WatchedNbd } from "../daemon/watcher.ts";
import type { Fd } from "../sys/files.ts";

/** What takes the place of what a daemon that was killed has served. */
export interface Reconnection extends Disposable {
  /** For the next daemon. */
  readonly served: readonly Fd[];
  /** The nbd driver's control socket, for it too. */
  readonly control?: Fd;
  /** What its watcher knows of an nbd device. */
  readonly nbd?: WatchedNbd;
  /** Has the kernel use it: the daemon serves. */
  connect(): void;
}

/** The operations of one transport. */
export interface DeviceOperations {
  /** Whether others may use it in ways that it must not be torn from under: it goes lazily. */
  readonly isBlockDevice: boolean;
  /** What fails once its daemon has gone. */
  readonly failsWithoutDaemon: string;

  /** Whether there is anything between its users and its daemon, which otherwise only writes back. */
  isAttached(state: AttachState): boolean;

  /**
   * Makes sure that it could be seen whether it {@link isAttached}, and that it could be told to go.
   *
   * @throws {KernelFeatureError} if not
   */
  requireSight(state: AttachState): void;

  /** Has it go: a block device with its last close, which may be made here, a socket at once. */
  detach(state: AttachState): void;

  /**
   * Whether a daemon, which may do nothing any more but serve, needs its watcher to have the kernel
   * told that the device goes with its last close.
   */
  needsWatcherToGo(state: AttachState): boolean;

  /** What is then left of {@link detach} for a daemon to do. */
  closeLast(state: AttachState): void;

  /** Has it stay although it was to go with its last close. */
  keep(state: AttachState): void;

  /** Has it take the size that its daemon knows. */
  resize(state: AttachState, sizeBytes: number): void;

  /** Whether what a dead daemon served is still there, and not somebody else's by now. */
  isLeftOver(state: AttachState): boolean;

  /** Clears away what a dead daemon has left, if {@link isLeftOver}. */
  clear(state: AttachState): void;

  /**
   * Makes what another daemon serves in the place of one that was killed; left out where none can. Throws
   * what the kernel says if it cannot be made.
   */
  readonly reconnect?: (state: AttachState, heritage: Heritage) => Reconnection;

  /** Fails all requests of a daemon that cannot even be killed, for it waits in the kernel. */
  abort(state: AttachState): void;
}
