/**
 * Devices as users name them.
 *
 * @module
 */
import type { AttachState } from "../daemon/state.ts";
import { loopNumber } from "../kernel/loop.ts";
import { nbdIndex } from "../kernel/nbd_devices.ts";
import { fileStatusIfAny, realPath } from "../sys/files.ts";
import { SystemError } from "../sys/errno.ts";

/** A device that can be set up or detached. */
export type DeviceName =
  | { readonly kind: "nbd"; readonly path: string; readonly index: number }
  | { readonly kind: "loop"; readonly path: string }
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "other"; readonly path: string };

/**
 * What `name` stands for: a name without a slash is one in /dev, as in losetup; links are followed.
 */
export function resolveDevice(name: string): DeviceName {
  if (fileStatusIfAny(name)?.kind === "socket") return { kind: "socket", path: absolutePath(name) };
  const path = followLinks(name.includes("/") ? name : `/dev/${name}`);
  const index = nbdIndex(path);
  if (index !== undefined) return { kind: "nbd", path, index };
  return { kind: loopNumber(path) === undefined ? "other" : "loop", path };
}

/** Whether a state is about this device, or about one on top of it. */
export function isOn(state: AttachState, device: DeviceName): boolean {
  return state.device === device.path ||
    (device.kind === "nbd" && state.nbdIndex === device.index);
}

/** Absolute path of a file that need not exist, in a folder that does. */
export function absolutePath(path: string): string {
  const slash = path.lastIndexOf("/");
  const folder = slash < 0 ? "." : path.slice(0, slash) || "/";
  const parent = realPath(folder);
  return `${parent === "/" ? "" : parent}/${path.slice(slash + 1)}`;
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
