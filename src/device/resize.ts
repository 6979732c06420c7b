/**
 * Making a device as large as its image has become.
 *
 * @module
 */
import { signalProcess } from "../daemon/processes.ts";
import { type AttachState, isStale, StateStore } from "../daemon/state.ts";
import { setLoopCapacity } from "../kernel/loop.ts";
import { nbdDevice } from "../kernel/nbd_devices.ts";
import { EIO, ENXIO, SystemError } from "../sys/errno.ts";
import { libc } from "../sys/libc.ts";
import { SIGHUP } from "../sys/signals.ts";
import { loopDevice, noDevice, resolveDevice, stateOn } from "./device_names.ts";
import { lastingHindrance } from "./stuck_daemon.ts";
import { operationsOf } from "./transport_table.ts";

/** How long a daemon may take to look at its image. */
const PATIENCE_MS = 10_000;
const PAUSE_US = 1000;

/** @throws {Error} if the device that `name` stands for cannot be resized */
export function resizeNamed(name: string, states: StateStore): void {
  const device = resolveDevice(name);
  const state = stateOn(states.all(), device);
  if (state !== undefined) resizeOurs(state, states);
  else if (device.kind === "nbd") refuseForeignNbd(device.index, name);
  else setLoopCapacity(loopDevice(name));
}

/** Only its own program knows how large the image of an nbd device is. */
function refuseForeignNbd(index: number, name: string): never {
  const device = nbdDevice(index);
  if (device === undefined) throw noDevice(name);
  if (!device.connected) throw new SystemError("open", ENXIO, device.path);
  throw new Error("it was not attached by tslosetup");
}

function resizeOurs(state: AttachState, states: StateStore): void {
  if (isStale(state)) throw new SystemError("resize", EIO, state.device);
  if (lastingHindrance(state) === "stopped") {
    throw new Error(
      `its daemon (pid ${state.pid}) is stopped: kill -CONT ${state.pid} lets it go on`,
    );
  }
  const { sizeBytes } = askForSize(state, states);
  operationsOf(state).resize(state, sizeBytes);
}

/** Has the daemon look at its image, and waits until it has. */
function askForSize(state: AttachState, states: StateStore): AttachState {
  const before = state.sizeChecks ?? 0;
  signalProcess(state, SIGHUP);
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    const now = states.ofProcess(state.pid);
    if ((now?.sizeChecks ?? 0) > before && now !== undefined) return now;
    libc().usleep(PAUSE_US);
  }
  throw new Error(`its daemon (pid ${state.pid}) does not answer`);
}
