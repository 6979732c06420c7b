/**
 * Block devices of any driver: their names, numbers and attributes, from wherever those can be learned.
 *
 * @module
 */
import { checked } from "../sys/errno.ts";
import { linkStatusIfAny, O_RDONLY, openFile } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { addressOf } from "../sys/memory.ts";
import { blockDeviceNumber, type DeviceNumber, LOOP_MAJOR } from "./device_numbers.ts";
import type { DiskSource, KnownPartition } from "./disk_source.ts";
import { hasSysfs, SYSFS_DISKS } from "./sysfs_disks.ts";
import { hasProcPartitions, UNMOUNTED_SYSFS } from "./unmounted_sysfs.ts";

/** The kernel counts sizes in sysfs in these, whatever the device's own block size is. */
export const SECTOR_BYTES = 512;

const DEV = "/dev/";
/** A name right in /dev, as the kernel's names of disks are. */
const IN_DEV = /^\/dev\/([^/.][^/]*)$/;
/** A name that nothing but the kernel gives: to a loop or nbd device, or a partition of one. */
const KERNEL_NAME = /^(?:loop|nbd)\d+(?:p\d+)?$/;

// linux/fs.h
const BLKROSET = 0x125d;

function source(): DiskSource {
  return hasSysfs() ? SYSFS_DISKS : UNMOUNTED_SYSFS;
}

/** Whether it can be told which partitions there are. */
export function arePartitionsKnown(): boolean {
  return hasSysfs() || hasProcPartitions();
}

/**
 * The kernel's name of the block device at `path` (`nbd0`, `loop0p1`), through links and aliases. What
 * is called in /dev as a disk is that disk, even if its node is lost, or has another device's number.
 */
export function blockDeviceName(path: string): string | undefined {
  const disk = diskInDev(path);
  if (disk !== undefined && mayBeNode(path)) return disk;
  const number = blockDeviceNumber(path);
  if (number === undefined || deviceInstead(path, number) !== undefined) return undefined;
  return source().nameOf(number) ?? unlistedName(number);
}

/** Without sysfs, a loop device that is not attached has no size, and is not listed. (max_part is 0 there.) */
function unlistedName({ major, minor }: DeviceNumber): string | undefined {
  return major === LOOP_MAJOR && !hasSysfs() ? `loop${minor}` : undefined;
}

/**
 * The device that the node at `path` leads to, if that is not the one it is called after: a node that
 * has stayed in a /dev which nobody keeps true.
 *
 * @param number what the node says
 * @returns the kernel's name of it
 */
export function deviceInstead(path: string, number: DeviceNumber): string | undefined {
  const name = IN_DEV.exec(path)?.[1];
  const isNode = name !== undefined && KERNEL_NAME.test(name) && mayBeNode(path);
  if (!isNode) return undefined;
  const called = source().nameOf(number);
  return called === name ? undefined : called;
}

/** The disk that is called so in /dev, whatever lies there. */
export function diskInDev(path: string): string | undefined {
  const name = IN_DEV.exec(path)?.[1];
  return name !== undefined && diskExists(name) ? name : undefined;
}

/** Whether nothing lies there, or a block device's node itself. */
function mayBeNode(path: string): boolean {
  const status = linkStatusIfAny(path);
  return status === undefined || status.kind === "block";
}

/** Where udev, devtmpfs and mdev put the node of that name. */
export function nodePath(name: string): string {
  return `${DEV}${name}`;
}

/** Names of all whole disks that begin so, for example all nbd devices. */
export function diskNames(prefix: string): string[] {
  return unsortedDiskNames(prefix).sort();
}

/** The same in the order in which the kernel lists them, which is no order of names. */
export function unsortedDiskNames(prefix: string): string[] {
  return source().disks().filter((name) => name.startsWith(prefix));
}

/** Whether the kernel has a whole disk of that name. */
export function diskExists(name: string): boolean {
  return source().hasDisk(name);
}

/** A whole disk's attribute as sysfs words it, or undefined where it has none of that name. */
export function diskAttribute(name: string, attribute: string): string | undefined {
  return source().attribute(name, attribute);
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

/** A disk's partitions that the kernel has now, in the order of the partition table. */
export function partitionsOf(disk: string): KnownPartition[] {
  return source().partitionsOf(disk);
}

/** Number of a disk. */
export function kernelDeviceNumber(disk: string): DeviceNumber | undefined {
  return source().numberOf(disk);
}
