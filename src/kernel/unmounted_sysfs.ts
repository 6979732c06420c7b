/**
 * Loop devices where sysfs is not mounted (a chroot in which packages are built), as losetup learns of
 * them (lib/loopdev.c of util-linux): from /proc/partitions and by calls to the devices.
 *
 * That has no devices of less than 512 bytes, and needs the devices' nodes and the right to open them.
 * Of nbd devices, only the names, numbers and partitions of connected ones can be learned so.
 *
 * @module
 */
import { unsortedDirectory } from "../sys/directories.ts";
import { ifPossible } from "../sys/errno.ts";
import { type Fd, O_RDONLY, openFile, openFileStatus, readAttributeIfAny } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { IoBuffer } from "../sys/memory.ts";
import { decodeText, encodeText } from "../sys/text.ts";
import {
  blockDeviceNumber,
  type DeviceNumber,
  formatDeviceNumber,
  isSameNumber,
  LOOP_MAJOR,
} from "./device_numbers.ts";
import type { DiskSource, KnownDevice, KnownPartition } from "./disk_source.ts";
import { tryLoopIoctl } from "./loop_ioctl.ts";
import { decodeLoopStatus, LOOP_INFO_BYTES, type LoopStatus } from "./loop_layout.ts";
import { parsePartitions } from "./proc_tables.ts";

const PROC_PARTITIONS = "/proc/partitions";
const DISK = /^(?:loop|nbd)\d+$/;
const LOOP = /^loop\d+$/;

// linux/fs.h
const BLKGETSIZE64 = 0x80081272; // u64, bytes
const BLKSSZGET = 0x1268; // int, bytes
const BLKGETDISKSEQ = 0x80081280; // u64, since 5.15

/** sysfs gives sizes in these. */
const SECTOR_BYTES = 512n;
/** Of a longer name, losetup shows so much: LO_NAME_SIZE without the star and the zero at its end. */
const MAX_NAME_BYTES = 62;

/** Whether the kernel can be asked which devices there are. */
export function hasProcPartitions(): boolean {
  return readAttributeIfAny(PROC_PARTITIONS) !== undefined;
}

export const UNMOUNTED_SYSFS: DiskSource = {
  disks,
  hasDisk: (name) => DISK.test(name) && find((device) => device.name === name) !== undefined,
  attribute,
  numberOf,
  partitionsOf,
  nameOf: (number) => find((device) => isSameNumber(device.number, number))?.name,
};

/** Without /proc/partitions (proc with subset=pid), loop devices by their nodes. */
function disks(): string[] {
  return hasProcPartitions()
    ? known().map(({ name }) => name).filter((name) => DISK.test(name))
    : unsortedDirectory("/dev").filter((name) => LOOP.test(name));
}

/** Disks and partitions of some size. */
function known(): KnownDevice[] {
  return parsePartitions(readAttributeIfAny(PROC_PARTITIONS) ?? "");
}

function find(isIt: (device: KnownDevice) => boolean): KnownDevice | undefined {
  return known().find(isIt);
}

function numberOf(disk: string): DeviceNumber | undefined {
  const listed = find(({ name }) => name === disk)?.number;
  if (listed !== undefined || !LOOP.test(disk)) return listed;
  const inNode = blockDeviceNumber(`/dev/${disk}`);
  const isOthers = inNode !== undefined &&
    find(({ number }) => isSameNumber(number, inNode)) !== undefined;
  return inNode?.major === LOOP_MAJOR && !isOthers ? inNode : undefined;
}

function partitionsOf(disk: string): KnownPartition[] {
  return known().flatMap((device) => {
    const digits = device.name.startsWith(`${disk}p`) ? device.name.slice(disk.length + 1) : "";
    return /^\d+$/.test(digits) ? [{ ...device, partition: Number(digits) }] : [];
  });
}

/** How to find out one attribute of a loop device. */
type Asking = (device: OpenDevice) => string | undefined;

interface OpenDevice {
  readonly fd: Fd;
  readonly path: string;
}

const ofStatus = (value: (status: LoopStatus) => string): Asking => (device) => {
  const info = new IoBuffer(LOOP_INFO_BYTES);
  const result = tryLoopIoctl("LOOP_GET_STATUS64", { ...device, argument: info.address });
  return result.ok ? value(decodeLoopStatus(info.view)) : undefined;
};

const ofCall = (call: number, value: (view: DataView) => string): Asking => ({ fd }) => {
  const answer = new IoBuffer(8);
  return libc().ioctl(fd.number, call, answer.address) < 0 ? undefined : value(answer.view);
};

const flag = (isSet: boolean): string => isSet ? "1" : "0";

/** By its path in sysfs. What losetup takes from the status, such as `ro`, comes from there. */
const ATTRIBUTES: Readonly<Record<string, Asking>> = {
  "loop/backing_file": ofStatus(({ fileName }) => markedIfCut(fileName)),
  "loop/offset": ofStatus(({ offsetBytes }) => String(offsetBytes)),
  "loop/sizelimit": ofStatus(({ sizeLimitBytes }) => String(sizeLimitBytes)),
  "loop/autoclear": ofStatus(({ autoClear }) => flag(autoClear)),
  "loop/dio": ofStatus(({ directIo }) => flag(directIo)),
  "ro": ofStatus(({ readOnly }) => flag(readOnly)),
  "size": ofCall(BLKGETSIZE64, (view) => String(view.getBigUint64(0, true) / SECTOR_BYTES)),
  "queue/logical_block_size": ofCall(BLKSSZGET, (view) => String(view.getInt32(0, true))),
  "diskseq": ofCall(BLKGETDISKSEQ, (view) => String(view.getBigUint64(0, true))),
};

function attribute(disk: string, path: string): string | undefined {
  if (path === "dev") return formattedIfAny(numberOf(disk));
  const ask = LOOP.test(disk) ? ATTRIBUTES[path] : undefined;
  return ask === undefined ? undefined : ifPossible(() => {
    const node = `/dev/${disk}`;
    using fd = openFile(node, O_RDONLY);
    return isNodeOf(disk, fd) ? ask({ fd, path: node }) : undefined;
  });
}

/** A node may be another device's by now. */
function isNodeOf(disk: string, fd: Fd): boolean {
  const { specialMajor: major, specialMinor: minor } = openFileStatus(fd.number);
  const listed = find((device) => isSameNumber(device.number, { major, minor }));
  return listed === undefined || listed.name === disk;
}

function formattedIfAny(number: DeviceNumber | undefined): string | undefined {
  return number === undefined ? undefined : formatDeviceNumber(number);
}

/** The driver keeps 63 bytes; losetup puts a star in the place of the last, or behind 62. */
function markedIfCut(name: string): string {
  const bytes = encodeText(name);
  return bytes.length < MAX_NAME_BYTES ? name : `${decodeText(bytes.subarray(0, MAX_NAME_BYTES))}*`;
}
