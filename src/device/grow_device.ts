/**
 * Making the disk of an image larger that is attached, while it is in use: who has the image open does
 * it, then the device takes notice.
 *
 * @module
 */
import { askDaemon } from "../daemon/control/ask.ts";
import { type AttachState, type StateStore } from "../daemon/state.ts";
import type { NewSize } from "../disk/new_size.ts";
import { openToWrite } from "../disk/open_file.ts";
import type { ImageRequest } from "../disk/request.ts";
import { RAW } from "../image/formats.ts";
import { keyRing } from "../image/key_ring.ts";
import { setLoopCapacity } from "../kernel/loop.ts";
import { loopBackingPath, loopStatusIfAny } from "../kernel/loop_status.ts";
import { nbdDevice, nbdIndex } from "../kernel/nbd_devices.ts";
import { baseName } from "../sys/paths.ts";
import { type DeviceName, resolveDevice, stateOn } from "./device_names.ts";
import { growOpenImage } from "./grow_image.ts";
import { viewShown } from "./own_view.ts";
import { lastingHindrance, refuseKilled, refuseStandstill } from "./stuck_daemon.ts";
import { operationsOf } from "./transport_table.ts";

/** So long a daemon may take to write everything back first. */
const PATIENCE_MS = 10 * 60_000;

/**
 * Makes the disk larger that `name` shows, if that is a device, or a socket, that is attached.
 *
 * @returns false if it is none
 * @throws {Error} if that cannot be done; the disk has its old size then
 */
export function growDevice(name: string, size: NewSize, states: StateStore): boolean {
  const device = resolveDevice(name);
  const state = stateOn(states.all(), device);
  if (state === undefined) {
    return device.kind === "loop" ? growPlainLoop(device, size) : refuseForeign(device);
  }
  growOurs(state, size);
  return true;
}

function growOurs(state: AttachState, { bytes, isMore }: NewSize): void {
  refuseKilled(state);
  refuseStandstill(state, { hindrance: lastingHindrance(state) });
  const { sizeBytes } = askDaemon(state, { kind: "grow", bytes, isMore }, PATIENCE_MS);
  operationsOf(state).resize(state, sizeBytes);
}

/** Who has attached it may be anybody: the kernel has the file, and holds the locks. */
function growPlainLoop({ path }: DeviceName, size: NewSize): boolean {
  const status = loopStatusIfAny(path);
  const image = loopBackingPath(baseName(path));
  if (status === undefined || image === undefined) return false;
  if (viewShown(status) !== undefined || status.readOnly) {
    throw new RangeError("the device is read-only");
  }
  const file = openToWrite(image);
  try {
    if (BigInt(file.status.inode) !== status.backingInode) {
      throw new Error("another file has the name of its file by now");
    }
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
  growOpenImage(file, { request: RAW_REQUEST, keys: keyRing(), size });
  setLoopCapacity(path);
  return true;
}

const RAW_REQUEST: ImageRequest = {
  format: RAW.name,
  readOnly: false,
  offsetBytes: 0,
  sizeLimitBytes: 0,
};

/** Only its own program could. */
function refuseForeign({ kind, path }: DeviceName): false {
  if (kind === "nbd" && nbdDevice(nbdIndex(path) ?? -1)?.connected) {
    throw new Error("it was not attached by tslosetup");
  }
  if (kind === "socket") throw new Error("it is not a socket of tslosetup");
  return false;
}
