/**
 * Disconnecting the device of a daemon that was killed.
 *
 * @module
 */
import { Log } from "../daemon/log.ts";
import { isStale, stateDirectory, StateStore } from "../daemon/state.ts";
import { NbdControl } from "../kernel/nbd.ts";
import { nbdDevice, waitUntilDisconnected } from "../kernel/nbd_devices.ts";
import { deviceUsers } from "../kernel/users.ts";
import { isOwnBackend } from "./backend.ts";

/**
 * What the watcher does: requests that were under way fail at once. A device that nobody uses is
 * free again; one that is in use stays listed until it is detached.
 *
 * @returns the exit code
 */
export function reap(device: string, runtimeDirectory: string | undefined): number {
  const states = new StateStore(stateDirectory(runtimeDirectory));
  const state = states.all().find((candidate) => candidate.device === device);
  if (state?.nbdIndex === undefined || !isStale(state)) return 1;
  new Log(state.image).error(`the daemon of ${device} (pid ${state.pid}) was killed`);
  if (disconnectDead(state.nbdIndex) && deviceUsers(device).length === 0) {
    states.remove(state);
  }
  return 0;
}

/** Whether the device is free afterwards. */
export function disconnectDead(index: number): boolean {
  const device = nbdDevice(index);
  if (device === undefined || !device.connected) return true;
  if (!isOwnBackend(device.backend)) return false;
  using control = new NbdControl();
  control.disconnect(index);
  return waitUntilDisconnected(index);
}
