/**
 * Taking one device down.
 *
 * A block device is never torn from under its users: it is told to go with its last close. A device
 * nobody uses has its last close at once.
 *
 * @module
 */
import { isRunning, waitUntilGone } from "../daemon/processes.ts";
import { type AttachState, isStale, stateDirectory, StateStore } from "../daemon/state.ts";
import { detachLoop } from "../kernel/loop.ts";
import { deviceUsers } from "../kernel/users.ts";
import { complain } from "../sys/console.ts";
import { clearLeftOver, isLeftOver } from "./dead_devices.ts";
import { detachForeignNbd } from "./detach_foreign.ts";
import { type DetachOptions } from "./detach_options.ts";
import { loopDevice, noDevice, resolveDevice, stateOn } from "./device_names.ts";
import type { DeviceOperations } from "./operations.ts";
import { detachWhenAwake, giveUp, lastingHindrance, waitForDaemon } from "./stuck_daemon.ts";
import { operationsOf } from "./transport_table.ts";

/** How long a device that no one is known to use may stay open: udev and blkid look for a moment. */
const LOOK_MS = 5000;

/**
 * Detaches the device that `name` stands for.
 *
 * @throws {Error} if it is none, or cannot be detached
 */
export function detachNamed(name: string, states: StateStore, options: DetachOptions): void {
  const device = resolveDevice(name);
  const state = stateOn(states.all(), device);
  if (state !== undefined && (!isStale(state) || isLeftOver(state))) {
    return detachState(state, states, options);
  }
  if (state !== undefined) {
    states.remove(state);
    if (!operationsOf(state).isAttached(state)) return;
    // Somebody else's device by now: what a dead daemon says of it is of no use.
  }
  switch (device.kind) {
    case "nbd":
      return detachForeignNbd(device, options);
    case "loop":
      return detachLoop(loopDevice(name));
    case "socket":
    case "other":
      throw noDevice(name);
  }
}

/** Detaches a device that has a state. */
export function detachState(
  state: AttachState,
  states: StateStore,
  { force }: DetachOptions,
): void {
  if (isStale(state)) return clearLeftOver(state, states);
  if (force && lastingHindrance(state) !== undefined) return giveUp(state, states);
  const operations = operationsOf(state);
  if (operations.isBlockDevice) return detachDevice(state, operations);
  operations.detach(state);
  waitForDaemon(state);
}

function detachDevice(state: AttachState, operations: DeviceOperations): void {
  const isUsed = deviceUsers(state.device).length > 0;
  const hindrance = isUsed ? undefined : lastingHindrance(state);
  if (hindrance !== undefined) return detachWhenAwake(state, hindrance);
  operations.detach(state);
  if (isUsed || waitUntilGone(state, LOOK_MS)) return;
  if (operations.isAttached(state)) {
    complain(`${state.device}: warning: still open; it is detached when its last user closes it`);
  } else {
    waitForDaemon(state);
  }
}

/**
 * What the daemon's helper does at SIGTERM: the device goes with its last close.
 *
 * @returns the exit code
 */
export function detachLazily(device: string, runtimeDirectory: string | undefined): number {
  const states = new StateStore(stateDirectory(runtimeDirectory));
  const state = states.find((candidate) => candidate.device === device);
  if (state === undefined || !isRunning(state)) return 1;
  operationsOf(state).detach(state);
  return 0;
}
