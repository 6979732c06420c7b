/**
 * The transport `socket`: clients connect to the daemon itself.
 *
 * @module
 */
import { signalProcess } from "../daemon/processes.ts";
import type { AttachState } from "../daemon/state.ts";
import { SIGINT } from "../sys/signals.ts";
import { type BoundSocket, isListening, isSameSocket, removeSocket } from "../sys/sockets.ts";
import type { DeviceOperations } from "./operations.ts";
import { outOfSight } from "./stuck_daemon.ts";

export const SOCKET: DeviceOperations = {
  isBlockDevice: false,
  failsWithoutDaemon: "all access",
  isAttached: () => false,
  requireSight: () => {},
  detach: endSocket,
  needsWatcherToGo: () => false,
  closeLast: () => {},
  keep: () => {},
  // Clients ask for the size when they connect.
  resize: () => {},
  isLeftOver: (state) => isSameSocket(socketOf(state)) && !isListening(state.device),
  clear: (state) => removeSocket(socketOf(state)),
  abort: () => {},
};

function endSocket(state: AttachState): void {
  if (!signalProcess(state, SIGINT)) throw outOfSight(state);
}

function socketOf({ device, socketInode = -1 }: AttachState): BoundSocket {
  return { path: device, inode: socketInode };
}
