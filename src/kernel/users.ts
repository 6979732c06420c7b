/**
 * Who uses a block device: asked before it is disconnected under them.
 *
 * @module
 */
import { EBUSY, SystemError } from "../sys/errno.ts";
import { listDirectory } from "../sys/directories.ts";
import { O_RDONLY, readTextIfAny } from "../sys/files.ts";
import {
  blockDeviceName,
  diskNames,
  kernelDeviceNumber,
  nodePath,
  partitionsOf,
} from "./block_devices.ts";
import { openNode } from "./device_nodes.ts";
import { blockDeviceNumber, formatDeviceNumber } from "./device_numbers.ts";
import { loopBackingPath } from "./loop_status.ts";
import { type Mount, parseMounts, parseSwaps } from "./proc_tables.ts";

const O_EXCL = 0o200;

/** One use of a block device or of one of its partitions. */
export interface DeviceUser {
  /** `claimed`: somebody has it exclusively whom none of the lists shows, as a mount elsewhere does. */
  readonly kind: "mount" | "holder" | "swap" | "loop" | "claimed";
  /** Mount point, name of the device on top, or node. */
  readonly where: string;
}

/**
 * All known users of the block device at `path`, its partitions included. That a program merely has it
 * open does not count. Mounts are those this process can see.
 *
 * @returns nothing if nobody uses it, or if there is no such block device
 */
export function deviceUsers(path: string): DeviceUser[] {
  const disk = blockDeviceName(path);
  if (disk === undefined) return [];
  const used = usedDevice(disk);
  const known = [...mountsOf(used), ...holdersOf(disk), ...swapsOn(used), ...loopsOver(used)];
  return known.length === 0 && isClaimed(path) ? [{ kind: "claimed", where: path }] : known;
}

/** A disk and its partitions. */
interface UsedDevice {
  /** In the kernel's spelling. */
  readonly numbers: ReadonlySet<string>;
  /** Where their nodes should be: those that are lost, or another's by now, have no number to tell. */
  readonly paths: ReadonlySet<string>;
}

function usedDevice(disk: string): UsedDevice {
  const number = kernelDeviceNumber(disk);
  const whole = number === undefined ? [] : [{ name: disk, number }];
  const devices = [...whole, ...partitionsOf(disk)];
  return {
    numbers: new Set(devices.map((device) => formatDeviceNumber(device.number))),
    paths: new Set(devices.map(({ name }) => nodePath(name))),
  };
}

function mountsOf(used: UsedDevice): DeviceUser[] {
  return mountsOn(used).map(({ mountPoint }) => ({ kind: "mount", where: mountPoint }));
}

function mountsOn(used: UsedDevice): Mount[] {
  return parseMounts(readTextIfAny("/proc/self/mountinfo") ?? "")
    // The number of a btrfs mount is an anonymous one: there the source tells.
    .filter(({ number, source }) => used.numbers.has(number) || isOneOf(source, used));
}

/**
 * Mounts, as this process sees them, of what is on a disk, its partitions, and the devices that are on
 * top of those (by device mapper, say).
 */
export function mountsOver(disk: string): Mount[] {
  const disks = new Set([disk]);
  for (const below of disks) for (const holder of holderNames(below)) disks.add(holder);
  return [...disks].flatMap((name) => mountsOn(usedDevice(name)));
}

function holdersOf(disk: string): DeviceUser[] {
  return holderNames(disk).map((holder) => ({ kind: "holder", where: nodePath(holder) }));
}

function holderNames(disk: string): string[] {
  const whole = `/sys/block/${disk}`;
  const folders = [whole, ...partitionsOf(disk).map(({ name }) => `${whole}/${name}`)];
  return folders.flatMap((folder) => listDirectory(`${folder}/holders`));
}

function swapsOn(used: UsedDevice): DeviceUser[] {
  return parseSwaps(readTextIfAny("/proc/swaps") ?? "")
    .filter((path) => isOneOf(path, used))
    .map((path) => ({ kind: "swap", where: path }));
}

function loopsOver(used: UsedDevice): DeviceUser[] {
  return diskNames("loop")
    .filter((name) => isOneOf(loopBackingPath(name) ?? "", used))
    .map((name) => ({ kind: "loop", where: nodePath(name) }));
}

function isOneOf(path: string, { numbers, paths }: UsedDevice): boolean {
  if (!path.startsWith("/")) return false;
  if (paths.has(path)) return true;
  const number = blockDeviceNumber(path);
  return number !== undefined && numbers.has(formatDeviceNumber(number));
}

/** File systems, swap and stacked devices claim what they use; an exclusive open finds out. */
function isClaimed(path: string): boolean {
  try {
    openNode(path, O_RDONLY | O_EXCL).close();
    return false;
  } catch (error) {
    return error instanceof SystemError && error.errno === EBUSY;
  }
}
