/**
 * Partitions of nbd and loop devices: there on return with -P, none without.
 *
 * The kernel reads the partition table of an nbd device at the first open of the whole disk after its
 * size was set, asked or not (GD_NEED_PART_SCAN in drivers/block/nbd.c), and of a loop device only if
 * LO_FLAGS_PARTSCAN is set. So both functions begin with an open, for reading: udev takes a close after
 * writing for a reason to have the table read again. The read goes to the server, which must be running.
 *
 * Limits: a module loaded with max_part=0 gets its partitions by BLKRRPART where the kernel can
 * (5.11 and later), and none elsewhere. Without -P a later writer of the whole nbd device may bring
 * the partitions back, where udev runs.
 *
 * @module
 */
import { EBUSY, ENXIO, ifPossible, SystemError } from "../sys/errno.ts";
import { O_RDONLY } from "../sys/files.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import { IoBuffer } from "../sys/memory.ts";
import { arePartitionsKnown, blockDeviceName, nodePath, partitionsOf } from "./block_devices.ts";
import { ensureBlockNodes, openNode } from "./device_nodes.ts";
import { KernelFeatureError } from "./feature_error.ts";
import type { PartitionPlace } from "./partition_place.ts";

// linux/fs.h, linux/blkpg.h
const BLKRRPART = 0x125f;
const BLKPG = 0x1269;
const BLKPG_ADD_PARTITION = 1;
const BLKPG_DEL_PARTITION = 2;
/** struct blkpg_ioctl_arg, linux/blkpg.h */
const BLKPG_ARGUMENT = { operation: 0, flags: 4, dataLength: 8, data: 16, size: 24 } as const;
/** struct blkpg_partition; the names at its end are unused. */
const BLKPG_PARTITION = { start: 0, length: 8, number: 16, size: 152 } as const;

const NO_PARTITIONS = "neither /sys nor /proc/partitions is there, which tell of partitions";

/** Rounds of reading or deleting while somebody (udev, blkid) has a partition open. */
const BUSY_RETRY = { attempts: 50, pauseMicroseconds: 20_000 } as const;

/**
 * Has the partition table read and waits until every partition has its node.
 *
 * @param path node of a whole disk
 * @returns the partitions' nodes, none if the disk has no partition table
 * @throws {SystemError} as open(2) and mknod(2)
 * @throws {KernelFeatureError} if nobody can tell which partitions there are, and whose their nodes
 */
export function showPartitions(path: string): string[] {
  if (!arePartitionsKnown()) throw new KernelFeatureError("partitions", NO_PARTITIONS);
  const disk = diskNameOf(path);
  using device = openNode(path, O_RDONLY);
  if (partitionsOf(disk).length === 0) rereadTable(device.number);
  return ensureBlockNodes(partitionsOf(disk));
}

/**
 * Makes the kernel forget all partitions of a disk; what is on the disk stays as it is.
 *
 * @param path node of a whole disk
 * @throws {SystemError} with EBUSY if a partition is in use
 */
export function hidePartitions(path: string): void {
  const disk = diskNameOf(path);
  using device = openNode(path, O_RDONLY);
  for (const { partition } of partitionsOf(disk)) {
    deletePartition(device.number, { number: partition, path });
  }
}

/**
 * Has the kernel forget the partitions of a disk that is connected to nothing any more, as it does when
 * such an nbd device is opened.
 */
export function dropPartitions(disk: string): void {
  if (partitionsOf(disk).length === 0) return;
  // Whoever may not open it sees partitions that nobody can use.
  ifPossible(() => openNode(nodePath(disk), O_RDONLY).close());
}

function diskNameOf(path: string): string {
  const name = blockDeviceName(path);
  if (name === undefined) throw new SystemError("open", ENXIO, path);
  return name;
}

/** Asks for another look at the table. That there is none, or no such call, is no error. */
function rereadTable(fd: number): void {
  retryWhileBusy(() => libc().ioctl(fd, BLKRRPART, 0));
}

/** A partition as the kernel is told of it. */
export interface AddedPartition extends PartitionPlace {
  readonly number: number;
}

/**
 * Has the kernel know a partition, whose table it cannot read. It goes with the disk.
 *
 * @param path node of a whole disk
 * @throws {SystemError} as ioctl(2): EBUSY if it overlaps with another one
 */
export function addPartition(path: string, { number, ...place }: AddedPartition): void {
  using device = openNode(path, O_RDONLY);
  const errno = changePartition(device.number, BLKPG_ADD_PARTITION, { number, ...place });
  if (errno !== 0) throw new SystemError("ioctl BLKPG", errno, path);
}

function deletePartition(fd: number, { number, path }: { number: number; path: string }): void {
  const nowhere = { startBytes: 0, lengthBytes: 0 };
  const errno = changePartition(fd, BLKPG_DEL_PARTITION, { number, ...nowhere });
  // ENXIO: somebody else was faster.
  if (errno !== 0 && errno !== ENXIO) throw new SystemError("ioctl BLKPG", errno, path);
}

/** @returns an error number; 0 for success */
function changePartition(
  fd: number,
  operation: number,
  { number, startBytes, lengthBytes }: AddedPartition,
): number {
  const partition = new IoBuffer(BLKPG_PARTITION.size);
  partition.view.setBigInt64(BLKPG_PARTITION.start, BigInt(startBytes), true);
  partition.view.setBigInt64(BLKPG_PARTITION.length, BigInt(lengthBytes), true);
  partition.view.setInt32(BLKPG_PARTITION.number, number, true);
  const argument = new IoBuffer(BLKPG_ARGUMENT.size);
  argument.view.setInt32(BLKPG_ARGUMENT.operation, operation, true);
  argument.view.setInt32(BLKPG_ARGUMENT.dataLength, partition.size, true);
  argument.view.setBigUint64(BLKPG_ARGUMENT.data, BigInt(partition.address), true);
  return retryWhileBusy(() => libc().ioctl(fd, BLKPG, argument.address));
}

/** Error number of a call that is repeated for about a second while it says EBUSY; 0 for success. */
function retryWhileBusy(call: () => number): number {
  for (let attempt = 0; attempt < BUSY_RETRY.attempts; attempt++) {
    if (call() >= 0) return 0;
    if (lastErrno() !== EBUSY) return lastErrno();
    libc().usleep(BUSY_RETRY.pauseMicroseconds);
  }
  return EBUSY;
}
