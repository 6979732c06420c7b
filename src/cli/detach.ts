/**
 * Taking devices down.
 *
 * A block device is never torn from under its users: it is told to go with its last close. A device
 * nobody uses has its last close at once.
 *
 * @module
 */
import { isRunning, signalProcess, waitUntilGone } from "../daemon/processes.ts";
import { type AttachState, isStale, stateDirectory, StateStore } from "../daemon/state.ts";
import { detachLoop, loopBackingPath } from "../kernel/loop.ts";
import { loopNumber } from "../kernel/loop_control.ts";
import { NbdControl } from "../kernel/nbd.ts";
import { nbdDevice } from "../kernel/nbd_devices.ts";
import { deviceUsers } from "../kernel/users.ts";
import { EBUSY, ENODEV, ENXIO, SystemError } from "../sys/errno.ts";
import { SIGINT } from "../sys/signals.ts";
import { backendOf, isOwnBackend } from "./backend.ts";
import { reasonOf } from "./command_error.ts";
import { complain } from "./console.ts";
import { clearLeftOver, disconnectDead, isLeftOver } from "./dead_devices.ts";
import { baseName, type DeviceName, isOn, resolveDevice } from "./device_names.ts";

/** How long a daemon may take to write everything back. */
const FLUSH_MS = 10 * 60_000;
/** How long a device that no one is known to use may stay open: udev and blkid look for a moment. */
const LOOK_MS = 5000;

/** Detaches each of `devices`; goes on after failures. */
export function detach(devices: readonly string[], runtimeDirectory: string | undefined): number {
  const states = new StateStore(stateDirectory(runtimeDirectory));
  return worstOf(devices, (name) => detachNamed(resolveDevice(name), states));
}

/** Detaches everything this user has attached. */
export function detachAll(runtimeDirectory: string | undefined): number {
  const states = new StateStore(stateDirectory(runtimeDirectory));
  const all = new Map(states.all().map((state) => [state.device, state]));
  return worstOf([...all.keys()], (device) => {
    const state = all.get(device);
    if (state !== undefined) detachState(state, states);
  });
}

function worstOf(devices: readonly string[], action: (device: string) => void): number {
  let code = 0;
  for (const device of devices) {
    try {
      action(device);
    } catch (error) {
      complain(`${device}: detach failed: ${reasonOf(error)}`);
      code = 1;
    }
  }
  return code;
}

function detachNamed(device: DeviceName, states: StateStore): void {
  const state = states.find((candidate) => isOn(candidate, device));
  if (state !== undefined && (!isStale(state) || isLeftOver(state))) {
    return detachState(state, states);
  }
  if (state !== undefined) {
    states.remove(state);
    if (!isAttached(state)) return;
    // Somebody else's device by now: what a dead daemon says of it is of no use.
  }
  switch (device.kind) {
    case "nbd":
      return detachWithoutState(device.index, device.path);
    case "loop":
      return detachLoop(device.path);
    case "socket":
    case "other":
      throw new SystemError("open", ENODEV, device.path);
  }
}

function detachState(state: AttachState, states: StateStore): void {
  if (isStale(state)) return clearLeftOver(state, states);
  if (state.transport === "socket") endSocket(state);
  else detachDevice(state);
}

function endSocket(state: AttachState): void {
  signalProcess(state, SIGINT);
  waitForDaemon(state);
}

function detachDevice(state: AttachState): void {
  const isUsed = deviceUsers(state.device).length > 0;
  askToGo(state);
  if (isUsed || waitUntilGone(state, LOOK_MS)) return;
  if (isAttached(state)) {
    complain(`${state.device}: warning: still open; it is detached when its last user closes it`);
  } else {
    waitForDaemon(state);
  }
}

/** Whether the device still has its daemon, which otherwise only has to write back. */
function isAttached({ device, nbdIndex }: AttachState): boolean {
  if (loopNumber(device) !== undefined) return loopBackingPath(baseName(device)) !== undefined;
  return nbdIndex !== undefined && nbdDevice(nbdIndex)?.connected === true;
}

/** Has the device go with its last close, which may be ours, now. */
function askToGo(state: AttachState): void {
  const { device, nbdIndex } = state;
  if (loopNumber(device) !== undefined || nbdIndex === undefined) return detachLoop(device);
  using control = new NbdControl();
  const backend = backendOf(state.format, state.image);
  control.detachLazily(nbdIndex, { backend, node: device });
}

function waitForDaemon(state: AttachState): void {
  if (waitUntilGone(state, FLUSH_MS)) return;
  throw new Error(`its daemon (pid ${state.pid}) has not ended`);
}

/** An nbd device this user has no state of: it is ours if its backend says so and its daemon died. */
function detachWithoutState(index: number, path: string): void {
  const device = nbdDevice(index);
  if (device === undefined) throw new SystemError("open", ENODEV, path);
  if (!device.connected) throw new SystemError("open", ENXIO, path);
  if (!isOwnBackend(device.backend)) {
    throw new Error("it was not attached by tslosetup; its own program has to disconnect it");
  }
  if (deviceUsers(path).length > 0) throw new SystemError("open", EBUSY, path);
  disconnectDead(index);
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
  askToGo(state);
  return 0;
}
