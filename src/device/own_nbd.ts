/**
 * nbd devices of ours whose daemon has gone.
 *
 * @module
 */
import { NbdControl } from "../kernel/nbd.ts";
import { nbdDevice, waitUntilDisconnected } from "../kernel/nbd_devices.ts";
import { isOwnBackend } from "./backend.ts";

/** Whether an nbd device is connected, and was by this program. */
export function isOwnNbd(index: number): boolean {
  const device = nbdDevice(index);
  return device?.connected === true && isOwnBackend(device.backend);
}

/** Disconnects an nbd device that was ours; whether it is free afterwards. */
export function disconnectDead(index: number): boolean {
  if (nbdDevice(index)?.connected !== true) return true;
  if (!isOwnNbd(index)) return false;
  failRequests(index);
  return waitUntilDisconnected(index);
}

/** Disconnects an nbd device that is ours: what is under way fails, and it is free with its last close. */
export function failRequests(index: number): void {
  using control = new NbdControl();
  control.disconnect(index);
}
