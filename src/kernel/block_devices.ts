/**
 * Block devices of any driver: their names, their sysfs folder, their nodes.
 *
 * @module
 */
import { checked, EEXIST, SystemError } from "../sys/errno.ts";
import {
  fileExists,
  type FileStatus,
  fileStatusIfAny,
  listDirectory,
  O_RDONLY,
  openFile,
  readTextIfAny,
  unsortedDirectory,
} from "../sys/files.ts";
import { realPath } from "../sys/paths.ts";
import { libc } from "../sys/libc.ts";
import { addressOf, cString } from "../sys/memory.ts";

/** The kernel counts sizes in sysfs in these, whatever the device's own block size is. */
export const SECTOR_BYTES = 512;

const SYS_BLOCK = "/sys/block";
const SYS_DEV_BLOCK = "/sys/dev/block";

// linux/fs.h
const BLKROSET = 0x125d;

const S_IFBLK = 0o060000;
const S_IFCHR = 0o020000;
const AT_FDCWD = -100;
/** mknodat(2) by number: glibc exports a function for it only since 2.33. */
const SYS_MKNODAT = { x86_64: 259, aarch64: 33 } as const;
/** How long devtmpfs or a device manager is given to make a node. */
const NODE_WAIT = { attempts: 15, pauseMicroseconds: 20_000 } as const;

/** Major and minor number of a device. */
export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** A device number in sysfs' and mountinfo's spelling, `43:0`. */
export function formatDeviceNumber({ major, minor }: DeviceNumber): string {
  return `${major}:${minor}`;
}

/** Number from the kernel's `43:0`, or undefined. */
export function parseDeviceNumber(text: string | undefined): DeviceNumber | undefined {
  const match = /^(\d+):(\d+)$/.exec(text?.trim() ?? "");
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}

/** The block device a path leads to, or undefined if it is none. */
export function blockDeviceNumber(path: string): DeviceNumber | undefined {
  const status = fileStatusIfAny(path);
  if (status?.kind !== "block") return undefined;
  return { major: status.specialMajor, minor: status.specialMinor };
}

/** The kernel's name of the block device at `path` (`nbd0`, `loop0p1`), through links and aliases. */
export function blockDeviceName(path: string): string | undefined {
  const number = blockDeviceNumber(path);
  if (number === undefined) return undefined;
  const link = `${SYS_DEV_BLOCK}/${formatDeviceNumber(number)}`;
  return fileExists(link) ? realPath(link).split("/").at(-1) : undefined;
}

/** Where udev, devtmpfs and mdev put the node of that name. */
export function nodePath(name: string): string {
  return `/dev/${name}`;
}

/** Names of all whole disks that begin so, for example all nbd devices. */
export function diskNames(prefix: string): string[] {
  return listDirectory(SYS_BLOCK).filter((name) => name.startsWith(prefix));
}

/** The same in the order in which the kernel lists them, which is no order of names. */
export function unsortedDiskNames(prefix: string): string[] {
  return unsortedDirectory(SYS_BLOCK).filter((name) => name.startsWith(prefix));
}

/** Whether the kernel has a whole disk of that name. */
export function diskExists(name: string): boolean {
  return fileExists(`${SYS_BLOCK}/${name}`);
}

/** Path of a whole disk's attribute in sysfs. */
export function diskAttributePath(name: string, attribute: string): string {
  return `${SYS_BLOCK}/${name}/${attribute}`;
}

/** A whole disk's attribute, or undefined where it has none of that name. */
export function diskAttribute(name: string, attribute: string): string | undefined {
  return readTextIfAny(diskAttributePath(name, attribute));
}

/** Size of a disk, 0 for one that is not connected. */
export function diskSizeBytes(name: string): number {
  return Number(diskAttribute(name, "size") ?? 0) * SECTOR_BYTES;
}

/** Whether the kernel refuses to write to the disk. */
export function isDiskReadOnly(name: string): boolean {
  return diskAttribute(name, "ro") === "1";
}

/**
 * Makes a disk read-only or writable.
 *
 * @throws {SystemError} as open(2) and ioctl(2)
 */
export function setDiskReadOnly(path: string, readOnly: boolean): void {
  using device = openFile(path, O_RDONLY);
  const value = new Uint8Array(Int32Array.of(readOnly ? 1 : 0).buffer);
  checked(libc().ioctl(device.number, BLKROSET, addressOf(value)), "ioctl BLKROSET", path);
}

/** Names of a disk's partitions the kernel knows now, in order. */
export function partitionNames(disk: string): string[] {
  return listDirectory(`${SYS_BLOCK}/${disk}`)
    .filter((name) => partitionNumber(disk, name) !== undefined)
    .sort((a, b) => (partitionNumber(disk, a) ?? 0) - (partitionNumber(disk, b) ?? 0));
}

/** Number of the partition a disk's sysfs folder entry stands for, if it stands for one. */
export function partitionNumber(disk: string, entry: string): number | undefined {
  if (!entry.startsWith(disk)) return undefined;
  const number = readTextIfAny(`${SYS_BLOCK}/${disk}/${entry}/partition`);
  return number === undefined ? undefined : Number(number);
}

/** Number of a disk or of one of its partitions. */
export function kernelDeviceNumber(disk: string, partition?: string): DeviceNumber | undefined {
  const folder = partition === undefined ? disk : `${disk}/${partition}`;
  return parseDeviceNumber(readTextIfAny(`${SYS_BLOCK}/${folder}/dev`));
}

/**
 * Waits for a block device's node and makes it where nobody else does (an initramfs without devtmpfs).
 *
 * @returns the node's path
 * @throws {SystemError} with EEXIST if something else lies there, or as mknod(2)
 */
export function ensureBlockNode(name: string, number: DeviceNumber): string {
  return ensureNode(nodePath(name), { kind: "block", number });
}

/** The same for a character device, for example /dev/loop-control. */
export function ensureCharacterNode(name: string, number: DeviceNumber): string {
  return ensureNode(nodePath(name), { kind: "character", number });
}

interface Node {
  readonly kind: "block" | "character";
  readonly number: DeviceNumber;
}

function ensureNode(path: string, node: Node): string {
  for (let attempt = 0; attempt < NODE_WAIT.attempts; attempt++) {
    if (isNode(fileStatusIfAny(path), node)) return path;
    libc().usleep(NODE_WAIT.pauseMicroseconds);
  }
  makeNode(path, node);
  if (!isNode(fileStatusIfAny(path), node)) throw new SystemError("mknod", EEXIST, path);
  return path;
}

function isNode(status: FileStatus | undefined, { kind, number }: Node): boolean {
  return status?.kind === kind && status.specialMajor === number.major &&
    status.specialMinor === number.minor;
}

function makeNode(path: string, { kind, number }: Node): void {
  const mode = (kind === "block" ? S_IFBLK : S_IFCHR) | 0o600;
  const name = cString(path);
  const device = encodeDevice(number);
  const call = SYS_MKNODAT[Deno.build.arch];
  const result = libc().syscall(call, AT_FDCWD, addressOf(name), mode, device, 0, 0);
  checked(Number(result), "mknod", path);
}

/**
 * A device number as system calls and structures carry it (new_encode_dev, linux/kdev_t.h).
 *
 * @throws {RangeError} if the minor number has more than 20 bits
 */
export function encodeDevice({ major, minor }: DeviceNumber): number {
  if (minor >= 2 ** 20) throw new RangeError(`no device number: ${major}:${minor}`);
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

/** The reverse of {@link encodeDevice}. */
export function decodeDevice(encoded: number): DeviceNumber {
  return { major: (encoded >>> 8) & 0xfff, minor: (encoded & 0xff) | ((encoded >>> 12) & 0xfff00) };
}
