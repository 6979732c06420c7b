/**
 * Who uses a block device: asked before it is disconnected under them.
 *
 * @module
 */
import { EBUSY, SystemError } from "../sys/errno.ts";
import { listDirectory, O_RDONLY, openFile, readTextIfAny } from "../sys/files.ts";
import {
  blockDeviceName,
  blockDeviceNumber,
  type DeviceNumber,
  diskNames,
  formatDeviceNumber,
  kernelDeviceNumber,
  nodePath,
  partitionNames,
} from "./block_devices.ts";
import { loopBackingPath } from "./loop_status.ts";
import { parseMounts, parseSwaps } from "./proc_tables.ts";

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
  const names = [disk, ...partitionNames(disk)];
  const numbers = new Set(names.map((name) => numberOf(disk, name)).filter((key) => key !== ""));
  const known = [
    ...mountsOf(numbers),
    ...holdersOf(disk, names),
    ...swapsOn(numbers),
    ...loopsOver(numbers),
  ];
  return known.length === 0 && isClaimed(path) ? [{ kind: "claimed", where: path }] : known;
}

function numberOf(disk: string, name: string): string {
  const number = kernelDeviceNumber(disk, name === disk ? undefined : name);
  return number === undefined ? "" : formatDeviceNumber(number);
}

function mountsOf(numbers: ReadonlySet<string>): DeviceUser[] {
  return parseMounts(readTextIfAny("/proc/self/mountinfo") ?? "")
    // The number of a btrfs mount is an anonymous one: there the source tells.
    .filter(({ number, source }) => numbers.has(number) || isOneOf(source, numbers))
    .map(({ mountPoint }) => ({ kind: "mount", where: mountPoint }));
}

function holdersOf(disk: string, names: readonly string[]): DeviceUser[] {
  return names.flatMap((name) => {
    const folder = name === disk ? `/sys/block/${disk}` : `/sys/block/${disk}/${name}`;
    return listDirectory(`${folder}/holders`);
  }).map((holder) => ({ kind: "holder", where: nodePath(holder) }));
}

function swapsOn(numbers: ReadonlySet<string>): DeviceUser[] {
  return parseSwaps(readTextIfAny("/proc/swaps") ?? "")
    .filter((path) => isOneOf(path, numbers))
    .map((path) => ({ kind: "swap", where: path }));
}

function loopsOver(numbers: ReadonlySet<string>): DeviceUser[] {
  return diskNames("loop")
    .filter((name) => isOneOf(loopBackingPath(name) ?? "", numbers))
    .map((name) => ({ kind: "loop", where: nodePath(name) }));
}

function isOneOf(path: string, numbers: ReadonlySet<string>): boolean {
  if (!path.startsWith("/")) return false;
  const number: DeviceNumber | undefined = blockDeviceNumber(path);
  return number !== undefined && numbers.has(formatDeviceNumber(number));
}

/** File systems, swap and stacked devices claim what they use; an exclusive open finds out. */
function isClaimed(path: string): boolean {
  try {
    openFile(path, O_RDONLY | O_EXCL).close();
    return false;
  } catch (error) {
    return error instanceof SystemError && error.errno === EBUSY;
  }
}
