/**
 * What a killed daemon leaves behind: a device on which everything fails, or a socket nobody
 * listens on.
 *
 * @module
 */
import type { AttachState, StateStore } from "../daemon/state.ts";
import { diskAttribute } from "../kernel/block_devices.ts";
import { detachLoop, loopBackingPath } from "../kernel/loop.ts";
import { loopNumber } from "../kernel/loop_control.ts";
import { NbdControl } from "../kernel/nbd.ts";
import { nbdDevice, waitUntilDisconnected } from "../kernel/nbd_devices.ts";
import { ENXIO, SystemError } from "../sys/errno.ts";
import { type BoundSocket, isListening, isSameSocket, removeSocket } from "../sys/sockets.ts";
import { isOwnBackend } from "./backend.ts";
import { baseName } from "./device_names.ts";

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

/** Whether the loop device of a state over FUSE still carries its image, and is not another's. */
export function isSameLoop({ device, diskSequence, image }: AttachState): boolean {
  const name = baseName(device);
  // sysfs ends the path with a new line, and is read without white space at its end.
  if (loopBackingPath(name) !== image.trim()) return false;
  return diskSequence === undefined || diskAttribute(name, "diskseq") === diskSequence;
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
