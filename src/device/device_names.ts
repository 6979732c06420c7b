/**
 * Devices as users name them.
 *
 * @module
 */
import { type AttachState, isStale } from "../daemon/state.ts";
import { isLoopDevice } from "../kernel/loop_control.ts";
import { loopBackingPath, loopNumber } from "../kernel/loop_status.ts";
import { nbdDevice, nbdIndex } from "../kernel/nbd_devices.ts";
import { fileStatusIfAny } from "../sys/files.ts";
import { baseName, folderName, folderOf, realPath } from "../sys/paths.ts";
import { isSameSocket } from "../sys/sockets.ts";
import { EBUSY, ENODEV, ENOENT, errorText, SystemError } from "../sys/errno.ts";
import type { AttachCommand } from "./attach_command.ts";
import { withoutUri } from "./socket_uri.ts";
import { CommandError } from "../sys/command_error.ts";

/** A device that can be set up or detached. */
export type DeviceName =
  & {
    readonly path: string;
    /** What the name means as a path from the current folder: sockets are named so. */
    readonly asFile: string;
  }
  & (
    | { readonly kind: "nbd"; readonly index: number }
    | { readonly kind: "loop" | "socket" | "other" }
  );

/**
 * What a name stands for: one that is no absolute path is one in /dev, as in losetup, unless it is the
 * path of something from the current folder, or the URI of a socket; links are followed.
 */
export function resolveDevice(given: string): DeviceName {
  const name = withoutUri(given);
  const asFile = pathFromHere(name);
  if (fileStatusIfAny(name)?.kind === "socket") return { kind: "socket", path: asFile, asFile };
  const isFromHere = name.includes("/") && fileStatusIfAny(name) !== undefined;
  const path = followLinks(isFromHere ? name : deviceNode(name));
  const index = nbdIndex(path);
  if (index !== undefined) return { kind: "nbd", path, asFile, index };
  return { kind: loopNumber(path) === undefined ? "other" : "loop", path, asFile };
}

function pathFromHere(name: string): string {
  try {
    return absolutePath(name);
  } catch (error) {
    if (error instanceof SystemError) return name;
    throw error;
  }
}

/**
 * The device that was named, if it is one that can be set up and looks free.
 *
 * @throws {SystemError} EBUSY if it is in use, ENODEV if it is no such device
 */
export function freeDeviceNamed(command: AttachCommand): DeviceName | undefined {
  if (command.device === undefined) return undefined;
  const device = resolveDevice(command.device);
  if (device.kind !== "nbd" && device.kind !== "loop") {
    throw new SystemError("open", ENODEV, device.path);
  }
  const isUsed = device.kind === "nbd"
    ? nbdDevice(device.index)?.connected === true
    : loopBackingPath(baseName(device.path)) !== undefined;
  if (isUsed) throw new SystemError("open", EBUSY, device.path);
  return device;
}

/** A device's node as losetup names it: a name that is no absolute path is one in /dev. */
export function deviceNode(name: string): string {
  return name.startsWith("/") ? name : `/dev/${name}`;
}

/** How errors name a device: as losetup does, except for what is a path from the current folder. */
export function shownName(name: string): string {
  return name.includes("/") || fileStatusIfAny(name)?.kind === "socket" ? name : deviceNode(name);
}

/**
 * The node of a loop device that there is, attached or not, as {@link deviceNode} names it.
 *
 * @throws {CommandError} in losetup's words, if it is none
 */
export function loopDevice(name: string): string {
  const node = deviceNode(name);
  if (isLoopDevice(node)) return node;
  throw noDevice(name);
}

/** A name that is no device of the kind that is wanted. */
export class NoDeviceError extends CommandError {}

/** What losetup says of such a name. */
export function noDevice(name: string): NoDeviceError {
  const whole = /^(?:\/dev\/)?(nbd\d+)p\d+$/.exec(name)?.[1];
  const hint = whole === undefined ? "" : `; it is a partition of ${deviceNode(whole)}`;
  return new NoDeviceError(`${name}: failed to use device: ${errorText(ENODEV)}${hint}`);
}

/**
 * The state of a device, or of one on top of it. Of several sockets that had one path after the other,
 * it is that of the one which has it now.
 */
export function stateOn(
  states: readonly AttachState[],
  device: DeviceName,
): AttachState | undefined {
  const candidates = states.filter((state) => isOn(state, device));
  const alive = candidates.filter((state) => !isStale(state));
  return alive.find(hasItsPath) ?? alive[0] ?? candidates[0];
}

function hasItsPath({ device, socketInode }: AttachState): boolean {
  return socketInode === undefined || isSameSocket({ path: device, inode: socketInode });
}

/** Whether a state is about this device, or about one on top of it. */
function isOn(state: AttachState, device: DeviceName): boolean {
  return state.device === device.path || state.device === device.asFile ||
    (device.kind === "nbd" && state.nbdIndex === device.index);
}

/**
 * Absolute path of a file that need not exist, in a folder that does.
 *
 * @throws {SystemError} as realpath(3); ENOENT of no path at all, as path_resolution(7)
 */
export function absolutePath(path: string): string {
  if (path === "") throw new SystemError("open", ENOENT, path);
  const parent = folderName(folderOf(path));
  return `${parent === "/" ? "" : parent}/${baseName(path)}`;
}

function followLinks(path: string): string {
  try {
    return realPath(path);
  } catch (error) {
    // A device that does not exist yet can still be meant.
    if (error instanceof SystemError) return path;
    throw error;
  }
}
