/**
 * What a killed daemon leaves behind: a device on which everything fails, or a socket nobody
 * listens on.
 *
 * @module
 */
import type { AttachState, StateStore } from "../daemon/state.ts";
import { detachLoop } from "../kernel/loop.ts";
import { loopBackingPath, loopNumber } from "../kernel/loop_status.ts";
import { NbdControl } from "../kernel/nbd.ts";
import { nbdDevice, waitUntilDisconnected } from "../kernel/nbd_devices.ts";
import { ENXIO, SystemError } from "../sys/errno.ts";
import { type BoundSocket, isListening, isSameSocket, removeSocket } from "../sys/sockets.ts";
import { isOwnBackend } from "./backend.ts";
import { baseName } from "./device_names.ts";
import { isSameLoop } from "./same_loop.ts";

/** Whether what a dead daemon served is still there, and not somebody else's by now. */
export function isLeftOver(state: AttachState): boolean {
  switch (state.transport) {
    case "nbd":
      return state.nbdIndex !== undefined && isOwnNbd(state.nbdIndex);
    case "fuse":
      return isSameLoop(state);
    case "socket":
      return isSameSocket(socketOf(state)) && !isListening(state.device);
  }
}

function socketOf({ device, socketInode = -1 }: AttachState): BoundSocket {
  return { path: device, inode: socketInode };
}

function isOwnNbd(index: number): boolean {
  const device = nbdDevice(index);
  return device?.connected === true && isOwnBackend(device.backend);
}

/** Clears away what a dead daemon has left behind, and its state. */
export function clearLeftOver(state: AttachState, states: StateStore): void {
  if (isLeftOver(state)) {
    if (state.transport === "socket") removeSocket(socketOf(state));
    if (loopNumber(state.device) !== undefined) detachOwnLoop(state);
    if (state.nbdIndex !== undefined) disconnectDead(state.nbdIndex);
  }
  states.remove(state);
}

function detachOwnLoop(state: AttachState): void {
  const below = state.transport === "nbd" ? `/dev/nbd${state.nbdIndex}` : state.image;
  if (loopBackingPath(baseName(state.device)) !== below) return;
  try {
    detachLoop(state.device);
  } catch (error) {
    if (!(error instanceof SystemError && error.errno === ENXIO)) throw error;
  }
}

/** Disconnects an nbd device that was ours; whether it is free afterwards. */
export function disconnectDead(index: number): boolean {
  if (nbdDevice(index)?.connected !== true) return true;
  if (!isOwnNbd(index)) return false;
  using control = new NbdControl();
  control.disconnect(index);
  return waitUntilDisconnected(index);
}
