/**
 * Making a device as large as its image has become.
 *
 * @module
 */
import { type AttachState, StateStore } from "../daemon/state.ts";
import type { ImageAccess } from "../disk/image_access.ts";
import { openImage } from "../disk/open.ts";
import { openImageFile } from "../disk/open_file.ts";
import type { WindowLimits } from "../disk/window.ts";
import { diskSizeBytes, SECTOR_BYTES } from "../kernel/block_devices.ts";
import { setLoopCapacity } from "../kernel/loop.ts";
import type { LoopStatus } from "../kernel/loop_layout.ts";
import { loopStatusIfAny } from "../kernel/loop_status.ts";
import { nbdDevice } from "../kernel/nbd_devices.ts";
import { ENXIO, SystemError } from "../sys/errno.ts";
import { baseName } from "../sys/paths.ts";
import type { ViewDescription } from "../view/description.ts";
import { askForSize } from "./ask_daemon.ts";
import { loopDevice, noDevice, resolveDevice, stateOn } from "./device_names.ts";
import { lastingHindrance, refuseKilled, refuseStandstill } from "./stuck_daemon.ts";
import { viewShown } from "./own_view.ts";
import { operationsOf } from "./transport_table.ts";

/** How long a daemon may take to look at its image. */
const PATIENCE_MS = 10_000;

/** @throws {Error} if the device that `name` stands for cannot be resized */
export function resizeNamed(name: string, states: StateStore): void {
  const device = resolveDevice(name);
  const state = stateOn(states.all(), device);
  // Of a view, even its daemon serves but a part.
  if (state !== undefined && state.transport !== "view") resizeOurs(state, states);
  else if (device.kind === "nbd") refuseForeignNbd(device.index, name);
  else resizeLoop(loopDevice(name));
}

function resizeLoop(path: string): void {
  const status = loopStatusIfAny(path);
  const shown = viewShown(status);
  if (status !== undefined && shown !== undefined) refuseChange(path, shown, status);
  setLoopCapacity(path);
}

/**
 * A view has what was found as it was made. What has another size by now can only be attached anew.
 *
 * @throws {Error} if the image says so
 */
function refuseChange(path: string, shown: ViewDescription, limits: LoopStatus): void {
  const wanted = diskBytesNow(shown, limits);
  if (wanted === undefined || wanted === diskSizeBytes(baseName(path))) return;
  throw new Error(
    `its image has another size by now (${wanted} bytes); a view shows what there was when it was ` +
      "made: detach it, and attach the image anew",
  );
}

/** What would be shown of the image as it is now; undefined if that is no image any more. */
function diskBytesNow(shown: ViewDescription, limits: WindowLimits): number | undefined {
  try {
    using access = openShown(shown, limits);
    return access.sizeBytes - access.sizeBytes % SECTOR_BYTES;
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** Nobody's lock matters: no more than the header is read. */
function openShown(
  { image, format, imageInode, view = {} }: ViewDescription,
  { offsetBytes, sizeLimitBytes }: WindowLimits,
): ImageAccess {
  const { file } = openImageFile(image, { readOnly: true });
  try {
    if (file.status.inode !== imageInode) throw new Error("another file has its name");
    const part = { offsetBytes, sizeLimitBytes, readOnly: true, noBacking: true };
    return openImage(file, { ...view, ...part, format }, { ignoreLocks: true, mapOnly: true });
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

/** Only its own program knows how large the image of an nbd device is. */
function refuseForeignNbd(index: number, name: string): never {
  const device = nbdDevice(index);
  if (device === undefined) throw noDevice(name);
  if (!device.connected) throw new SystemError("open", ENXIO, device.path);
  throw new Error("it was not attached by tslosetup");
}

function resizeOurs(state: AttachState, states: StateStore): void {
  refuseKilled(state);
  refuseStandstill(state, { hindrance: lastingHindrance(state) });
  const { sizeBytes } = askForSize(state, { states, patienceMs: PATIENCE_MS });
  operationsOf(state).resize(state, sizeBytes);
}
