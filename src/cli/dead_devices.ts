/**
 * What a killed daemon leaves behind in the kernel: a device on which everything fails.
 *
 * @module
 */
import type { AttachState } from "../daemon/state.ts";
import { loopBackingPath, loopNumber } from "../kernel/loop.ts";
import { NbdControl } from "../kernel/nbd.ts";
import { nbdDevice, waitUntilDisconnected } from "../kernel/nbd_devices.ts";
import { isOwnBackend } from "./backend.ts";
import { baseName } from "./device_names.ts";

/** Whether a device whose daemon has gone is still there, and still the one the state is about. */
export function isDeadDevice(state: AttachState): boolean {
  switch (state.transport) {
    case "nbd":
      return state.nbdIndex !== undefined && isOurs(state.nbdIndex);
    case "fuse":
      return loopNumber(state.device) !== undefined &&
        loopBackingPath(baseName(state.device)) === state.image;
    case "socket":
      return false;
  }
}

function isOurs(index: number): boolean {
  const device = nbdDevice(index);
  return device?.connected === true && isOwnBackend(device.backend);
}

/** Disconnects an nbd device that was ours; whether it is free afterwards. */
export function disconnectDead(index: number): boolean {
  if (nbdDevice(index)?.connected !== true) return true;
  if (!isOurs(index)) return false;
  using control = new NbdControl();
  control.disconnect(index);
  return waitUntilDisconnected(index);
}
