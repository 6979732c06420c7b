/**
 * Nodes in /dev: made where nobody else makes them, and believed only if sysfs says the same.
 *
 * Where /dev is no devtmpfs (a container, a chroot, an old initramfs), a node stays when its device
 * goes, and the number in it may be another device's by now: those of partitions are given out anew all
 * the time (blk_alloc_ext_minor(), block/genhd.c). Whoever opens such a node writes to the wrong disk.
 *
 * @module
 */
import { EEXIST, ENXIO, ifPossible, SystemError } from "../sys/errno.ts";
import { unsortedDirectory } from "../sys/directories.ts";
import {
  type Fd,
  type FileStatus,
  fileStatusIfAny,
  linkStatusIfAny,
  openFile,
  openFileStatus,
  removeFile,
} from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { readLink } from "../sys/paths.ts";
import {
  arePartitionsKnown,
  deviceInstead,
  diskInDev,
  kernelDeviceNumber,
  nodePath,
  partitionsOf,
} from "./block_devices.ts";
import { blockDeviceNumber, type DeviceNumber, isSameNumber } from "./device_numbers.ts";
import type { KnownDevice } from "./disk_source.ts";
import { makeNode, type Node } from "./make_node.ts";

const DEV = "/dev";
/** How long devtmpfs or a device manager is given to make a node. */
const NODE_WAIT = { attempts: 15, pauseMicroseconds: 20_000 } as const;

/** A partition of a device that this program can attach, and its disk. */
const PARTITION = /^((?:loop|nbd)\d+)p\d+$/;

/**
 * Waits for a block device's node, and makes it where nobody else does (an initramfs without devtmpfs);
 * a block node of another number is replaced.
 *
 * @returns the node's path
 * @throws {SystemError} with EEXIST if something else lies there, or as unlink(2) and mknod(2)
 */
export function ensureBlockNode(name: string, number: DeviceNumber): string {
  const [path = ""] = ensureBlockNodes([{ name, number }]);
  return path;
}

/** The same for several, which are waited for together. */
export function ensureBlockNodes(devices: readonly KnownDevice[]): string[] {
  const nodes = devices.map(({ name, number }): Node => ({
    path: nodePath(name),
    kind: "block",
    number,
  }));
  waitForNodes(nodes);
  // Rather no node than another device's, whatever comes of making them.
  nodes.forEach(removeWrong);
  return nodes.map(ensureNode);
}

/** The same for a character device, for example /dev/loop-control, which is not replaced. */
export function ensureCharacterNode(name: string, number: DeviceNumber): string {
  const node: Node = { path: nodePath(name), kind: "character", number };
  waitForNodes([node]);
  return ensureNode(node);
}

/**
 * Opens a device by the path of its node. For a name in /dev which the kernel has given to a disk, it is
 * that disk which is opened: its node is made if it is lost, and replaced if it is another device's.
 *
 * @throws {SystemError} as open(2) and {@link ensureBlockNode}; ENXIO if the kernel has no device of that
 *   name, and another one's number is in the node
 */
export function openNode(path: string, flags: number): Fd {
  const name = diskInDev(path);
  const number = name === undefined ? undefined : kernelDeviceNumber(name);
  if (name !== undefined && number !== undefined) {
    return openFile(ensureBlockNode(name, number), flags);
  }
  const inNode = blockDeviceNumber(path);
  if (inNode !== undefined && deviceInstead(path, inNode) !== undefined) {
    throw new SystemError("open", ENXIO, path);
  }
  return openFile(path, flags);
}

/**
 * Makes sure that what somebody named as an image is no node that has stayed when its device went.
 *
 * @param handle open with O_PATH at least
 * @throws {Error} if it is one, by whatever links it was named
 */
export function refuseStaleNode(handle: Fd): void {
  const status = openFileStatus(handle.number);
  if (status.kind !== "block") return;
  const path = ifPossible(() => readLink(`/proc/self/fd/${handle.number}`)) ?? "";
  const instead = deviceInstead(path, numberOf(status));
  if (instead === undefined) return;
  throw new Error(`the node ${path} is not that of its device any more: it leads to ${instead}`);
}

/**
 * Removes the nodes of partitions that have gone, of all loop and nbd devices: also of those that went
 * when this program did not look. What is no block node is left alone.
 *
 * @returns the paths of nodes that are wrong but cannot be removed
 */
export function removeStalePartitionNodes(): string[] {
  if (!arePartitionsKnown()) return [];
  // Removed as soon as it was looked at: another command may be about to put a right one there.
  return unsortedDirectory(DEV)
    .filter((name) => isStale(name) && !isRemoved(nodePath(name)))
    .map(nodePath);
}

/** Whether it is a partition's node by its name, but not of the partition that has that name now. */
function isStale(name: string): boolean {
  const disk = PARTITION.exec(name)?.[1];
  if (disk === undefined) return false;
  // First the node, then the kernel: a partition that is coming has its number before its node.
  const node = linkStatusIfAny(nodePath(name));
  if (node?.kind !== "block") return false;
  const partition = partitionsOf(disk).find((candidate) => candidate.name === name);
  return partition === undefined || !isSameNumber(partition.number, numberOf(node));
}

function isRemoved(path: string): boolean {
  return ifPossible(() => {
    removeFile(path);
    return true;
  }) === true;
}

function waitForNodes(nodes: readonly Node[]): void {
  for (let attempt = 0; attempt < NODE_WAIT.attempts && !nodes.every(isThere); attempt++) {
    libc().usleep(NODE_WAIT.pauseMicroseconds);
  }
}

/** Also if a link leads to it. */
function isThere({ path, kind, number }: Node): boolean {
  const status = fileStatusIfAny(path);
  return status?.kind === kind && isSameNumber(numberOf(status), number);
}

function numberOf({ specialMajor, specialMinor }: FileStatus): DeviceNumber {
  return { major: specialMajor, minor: specialMinor };
}

function removeWrong(node: Node): void {
  if (!isThere(node) && linkStatusIfAny(node.path)?.kind === "block") removeFile(node.path);
}

function ensureNode(node: Node): string {
  if (isThere(node)) return node.path;
  const errno = makeNode(node);
  // It may also be that somebody else was faster.
  if (!isThere(node)) throw new SystemError("mknod", errno === 0 ? EEXIST : errno, node.path);
  return node.path;
}
