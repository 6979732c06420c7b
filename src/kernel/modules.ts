/**
 * Whether this kernel has the drivers, and loading them where it can.
 *
 * @module
 */
import { EPERM, SystemError } from "../sys/errno.ts";
import { fileExists } from "../sys/files.ts";
import { runProgram } from "../sys/spawn.ts";
import { GenericNetlinkSocket } from "./genetlink.ts";
import { NBD_FAMILY } from "./nbd.ts";

/** Neither the caller's PATH nor an initramfs' is to be relied on. */
const MODPROBE_PATHS = [
  "/sbin/modprobe",
  "/usr/sbin/modprobe",
  "/bin/modprobe",
  "/usr/bin/modprobe",
];

/** The running kernel lacks something that this program cannot do without. */
export class KernelFeatureError extends Error {
  override readonly name = "KernelFeatureError";

  constructor(
    /** Name of the missing driver, for example `nbd`. */
    readonly feature: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Makes sure that the nbd driver is there, loading its module if need be.
 *
 * @throws {KernelFeatureError} if it cannot be had, or if /sys is not mounted
 */
export function requireNbd(): void {
  requireSysfs();
  if (!canUseNbd()) {
    throw new KernelFeatureError(
      "nbd",
      "this kernel has no nbd driver, and modprobe could not load it; " +
        "--transport fuse and --socket work without",
    );
  }
}

/**
 * Makes sure that the loop driver is there, loading its module if need be.
 *
 * @throws {KernelFeatureError} if it cannot be had, or if /sys is not mounted
 */
export function requireLoop(): void {
  requireSysfs();
  if (hasLoop()) return;
  loadModule("loop");
  if (!hasLoop()) {
    throw new KernelFeatureError(
      "loop",
      "this kernel has no loop driver, and modprobe could not load it; --socket works without",
    );
  }
}

/** Loads the FUSE driver where it is a module; device managers let the node do that, where there is one. */
export function loadFuse(): void {
  if (!fileExists("/sys/class/misc/fuse")) loadModule("fuse");
}

/** Whether the kernel has the nbd driver, loading its module if need be. */
export function canUseNbd(): boolean {
  if (hasNbd()) return true;
  loadModule("nbd");
  return hasNbd();
}

/** Whether the nbd driver can be reached. Asking for its netlink family makes the kernel load it. */
export function hasNbd(): boolean {
  try {
    using socket = new GenericNetlinkSocket();
    socket.familyId(NBD_FAMILY);
    return true;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    // A sandbox may forbid to ask; the next step will then say what is wrong.
    return error.errno === EPERM && fileExists("/sys/module/nbd");
  }
}

/** Whether the loop driver is in the kernel. */
function hasLoop(): boolean {
  return fileExists("/sys/class/misc/loop-control");
}

function requireSysfs(): void {
  if (fileExists("/sys/block")) return;
  throw new KernelFeatureError("sysfs", "/sys is not mounted; --socket works without");
}

function loadModule(name: string): void {
  for (const path of MODPROBE_PATHS) {
    if (fileExists(path) && runProgram(path, ["-q", name]) === 0) return;
  }
}
