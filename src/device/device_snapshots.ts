/**
 * Changing the internal snapshots of an image that is attached.
 *
 * @module
 */
import type { StateStore } from "../daemon/state.ts";
import type { SnapshotChange } from "../image/snapshot_change.ts";
import { resolveDevice, stateOn } from "./device_names.ts";

/**
 * Changes those of the image that `name` shows, if that is a device, or a socket, that is attached.
 *
 * @returns false if it is none
 * @throws {Error} if that cannot be done
 */
export function changeDeviceSnapshots(
  name: string,
  _change: SnapshotChange,
  states: StateStore,
): boolean {
  const state = stateOn(states.all(), resolveDevice(name));
  if (state === undefined) return false;
  throw new Error(`it is in use: detach it first, and name its image (${state.image})`);
}
