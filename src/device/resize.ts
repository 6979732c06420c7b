/**
 * Making a device as large as its image has become.
 *
 * @module
 */
import { type AttachState, isStale, StateStore } from "../daemon/state.ts";
import { setLoopCapacity } from "../kernel/loop.ts";
import { nbdDevice } from "../kernel/nbd_devices.ts";
import { EIO, ENXIO, SystemError } from "../sys/errno.ts";
import { askForSize } from "./ask_daemon.ts";
import { loopDevice, noDevice, resolveDevice, stateOn } from "./device_names.ts";
import { lastingHindrance, refuseStandstill } from "./stuck_daemon.ts";
import { operationsOf } from "./transport_table.ts";

/** How long a daemon may take to look at its image. */
const PATIENCE_MS = 10_000;

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
  refuseStandstill(state, { hindrance: lastingHindrance(state) });
  const { sizeBytes } = askForSize(state, { states, patienceMs: PATIENCE_MS });
  operationsOf(state).resize(state, sizeBytes);
}
