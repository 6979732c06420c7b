/**
 * The transport `fuse`: a loop device over the only file of a FUSE file system.
 *
 * @module
 */
import type { Heritage } from "../daemon/heritage.ts";
import type { AttachState } from "../daemon/state.ts";
import { abortFuseConnection } from "../kernel/fuse_control.ts";
import { detachLoop, keepLoop } from "../kernel/loop.ts";
import { ENOENT, SystemError } from "../sys/errno.ts";
import { duplicate } from "../sys/sockets.ts";
import type { DeviceOperations, Reconnection } from "./operations.ts";
import { detachLoopOver, isLoopAttached, resizeLoop } from "./own_loop.ts";
import { isSameLoop } from "./same_loop.ts";

export const FUSE: DeviceOperations = {
  isBlockDevice: true,
  failsWithoutDaemon: "all access",
  isAttached: ({ device }) => isLoopAttached(device),
  // What the kernel says of a loop device, it says without /sys, too.
  requireSight: () => {},
  detach: ({ device }) => detachLoop(device),
  needsWatcherToGo: () => false,
  closeLast: ({ device }) => detachLoop(device),
  keep: ({ device }) => keepLoop(device),
  resize: ({ device }) => resizeLoop(device),
  isLeftOver: isSameLoop,
  clear: ({ device, image }) => detachLoopOver(image, device),
  reconnect: takeOverSession,
  abort: abortConnection,
};

/** The session stays: its server asks for the requests that the one before had. */
function takeOverSession(
  _state: AttachState,
  { descriptors: { served = [] } }: Heritage,
): Reconnection {
  return { served: served.map(duplicate), connect: () => {}, [Symbol.dispose]: () => {} };
}

function abortConnection(state: AttachState): void {
  // Without the device, the connection has gone, and its number may be another's.
  if (state.fuseConnection === undefined || !isSameLoop(state)) return;
  try {
    abortFuseConnection(state.fuseConnection);
  } catch (error) {
    if (!(error instanceof SystemError && error.errno === ENOENT)) throw error;
  }
}
