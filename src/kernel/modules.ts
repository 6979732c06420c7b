/**
 * Whether this kernel has the drivers, and loading them where it can.
 *
 * @module
 */
import { ENODEV, ENOENT, ENXIO, EPERM, SystemError } from "../sys/errno.ts";
import { fileExists, O_RDWR, openFile, readTextIfAny } from "../sys/files.ts";
import { runProgram } from "../sys/spawn.ts";
import { KernelFeatureError } from "./feature_error.ts";
import { GenericNetlinkSocket } from "./genetlink.ts";
import { NBD_FAMILY, NBD_OUT_OF_REACH } from "./nbd.ts";
import { parseMisc } from "./proc_tables.ts";
import { requireSysfs } from "./sysfs_disks.ts";

/** Neither the caller's PATH nor an initramfs' is to be relied on. */
const MODPROBE_PATHS = [
  "/sbin/modprobe",
  "/usr/sbin/modprobe",
  "/bin/modprobe",
  "/usr/bin/modprobe",
];

/** What is said of it in /sys or /proc may be hidden from a container that has the node. */
const LOOP_CONTROL = "/dev/loop-control";
/** What open(2) answers where there is no node, or no driver behind it. */
const NO_DRIVER: readonly number[] = [ENOENT, ENXIO, ENODEV];

/**
 * Makes sure that the nbd driver is there, loading its module if need be.
 *
 * @throws {KernelFeatureError} if it cannot be had, or if /sys is not mounted
 */
export function requireNbd(): void {
  requireSysfs("; --transport fuse and --socket work without");
  if (!canUseNbd()) {
    throw new KernelFeatureError(
      "nbd",
      `${whyNoNbd()}; loop devices (--find) and --socket work without`,
    );
  }
}

function whyNoNbd(): string {
  return hasNbdModule()
    ? NBD_OUT_OF_REACH
    : "this kernel has no nbd driver, and modprobe could not load it";
}

/** Whether the driver is loaded, be it out of reach. */
function hasNbdModule(): boolean {
  return fileExists("/sys/module/nbd");
}

/**
 * Makes sure that the loop driver is there, loading its module if need be.
 *
 * @throws {KernelFeatureError} if it cannot be had
 */
export function requireLoop(): void {
  if (hasLoop()) return;
  loadModule("loop");
  if (!hasLoop()) {
    throw new KernelFeatureError(
      "loop",
      "this kernel has no loop driver, and modprobe could not load it; --socket works without",
    );
  }
}

/**
 * Loads the FUSE driver where it is a module; device managers let the node do that, where there is one.
 *
 * @returns whether the kernel has it then
 */
export function loadFuse(): boolean {
  if (hasMiscDevice("fuse")) return true;
  loadModule("fuse");
  return hasMiscDevice("fuse");
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
    return error.errno === EPERM && hasNbdModule();
  }
}

/** Whether the loop driver is in the kernel. */
function hasLoop(): boolean {
  return hasMiscDevice("loop-control") || isThere(LOOP_CONTROL);
}

/** Whether a driver answers at a node, be it with a refusal. */
function isThere(node: string): boolean {
  try {
    openFile(node, O_RDWR).close();
    return true;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return !NO_DRIVER.includes(error.errno);
  }
}

/** In sysfs, or where that is not mounted in /proc. */
function hasMiscDevice(name: string): boolean {
  return fileExists(`/sys/class/misc/${name}`) ||
    parseMisc(readTextIfAny("/proc/misc") ?? "").includes(name);
}

function loadModule(name: string): void {
  for (const path of MODPROBE_PATHS) {
    if (fileExists(path) && runProgram(path, ["-q", name]) === 0) return;
  }
}
