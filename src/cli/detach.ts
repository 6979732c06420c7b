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
import { NbdControl } from "../kernel/nbd.ts";
import { nbdDevice, nbdName } from "../kernel/nbd_devices.ts";
import { nodePath } from "../kernel/block_devices.ts";
import { deviceUsers } from "../kernel/users.ts";
import { EBUSY, ENODEV, ENXIO, SystemError } from "../sys/errno.ts";
import { removeFile } from "../sys/files.ts";
import { isListening } from "../sys/sockets.ts";
import { SIGINT } from "../sys/signals.ts";
import { backendOf, isOwnBackend } from "./backend.ts";
import { reasonOf } from "./command_error.ts";
import { complain } from "./console.ts";
import { disconnectDead } from "./reap.ts";
import { type DeviceName, isOn, resolveDevice } from "./device_names.ts";

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
  const state = states.all().find((candidate) => isOn(candidate, device));
  if (state !== undefined) return detachState(state, states);
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
  if (isStale(state)) return cleanUp(state, states);
  if (state.nbdIndex === undefined) endSocket(state);
  else detachDevice(state, state.nbdIndex);
}

function endSocket(state: AttachState): void {
  signalProcess(state, SIGINT);
  waitForDaemon(state, FLUSH_MS);
}

function detachDevice(state: AttachState, index: number): void {
  const isUsed = deviceUsers(state.device).length > 0;
  askToGo(state, index);
  if (isUsed) return;
  if (waitUntilGone(state, LOOK_MS)) return;
  if (nbdDevice(index)?.connected && !isLastClosed(state)) {
    complain(`${state.device}: warning: still open; it is detached when its last user closes it`);
    return;
  }
  waitForDaemon(state, FLUSH_MS);
}

/** Whether the device has let go of its daemon, which then only has to write back. */
function isLastClosed(state: AttachState): boolean {
  return state.device.startsWith("/dev/loop") &&
    loopBackingPath(state.device.slice("/dev/".length)) === undefined;
}

/** Has the device go with its last close, which may be ours, now. */
function askToGo(state: AttachState, index: number): void {
  const node = nodePath(nbdName(index));
  if (state.device !== node) return detachLoop(state.device);
  using control = new NbdControl();
  control.detachLazily(index, { backend: backendOf(state.format, state.image), node });
}

function waitForDaemon(state: AttachState, timeoutMs: number): void {
  if (waitUntilGone(state, timeoutMs)) return;
  throw new Error(`its daemon (pid ${state.pid}) has not ended`);
}

/** A killed daemon leaves a device that only fails, and a state file: both go. */
function cleanUp(state: AttachState, states: StateStore): void {
  if (state.nbdIndex === undefined) {
    if (!isListening(state.device)) removeFile(state.device);
  } else {
    cleanUpDevice(state, state.nbdIndex);
  }
  states.remove(state);
}

function cleanUpDevice(state: AttachState, index: number): void {
  const device = nbdDevice(index);
  if (state.device !== device?.path) tryToDetachLoop(state.device, device?.path);
  disconnectDead(index);
}

function tryToDetachLoop(path: string, below: string | undefined): void {
  if (below === undefined || loopBackingPath(path.slice("/dev/".length)) !== below) return;
  try {
    detachLoop(path);
  } catch (error) {
    if (!(error instanceof SystemError && error.errno === ENXIO)) throw error;
  }
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
  const state = states.all().find((candidate) => candidate.device === device);
  if (state?.nbdIndex === undefined || !isRunning(state)) return 1;
  askToGo(state, state.nbdIndex);
  return 0;
}
