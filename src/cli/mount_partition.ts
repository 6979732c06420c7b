/**
 * Which part of a disk is mounted.
 *
 * @module
 */
import { deviceTable, placeOnDevice } from "../device/device_table.ts";
import { missingPartitions } from "../device/partition_warning.ts";
import { blockDeviceName, nodePath, partitionsOf } from "../kernel/block_devices.ts";
import { addPartition, showPartitions } from "../kernel/partitions.ts";
import { ifPossible } from "../sys/errno.ts";
import { CommandError } from "../sys/command_error.ts";

/**
 * The node of a partition, or of the whole disk if none is asked for. Where the kernel cannot read the table,
 * it is told of the partition.
 *
 * @throws {CommandError} if there is no such partition
 */
export function partitionNode(device: string, partition: number | undefined): string {
  if (partition === undefined) return device;
  showPartitions(device);
  const node = knownNode(device, partition) ?? addedNode(device, partition);
  if (node !== undefined) return node;
  throw new CommandError(`there is no partition ${partition} on the disk: ${there(device)}`);
}

function knownNode(device: string, partition: number): string | undefined {
  const found = partitionsOf(blockDeviceName(device) ?? "")
    .find((candidate) => candidate.partition === partition);
  return found && nodePath(found.name);
}

function addedNode(device: string, number: number): string | undefined {
  const place = placeOnDevice(device, number);
  if (place === undefined) return undefined;
  // Somebody else may have been faster: what counts is that it is there.
  ifPossible(() => addPartition(device, { number, ...place }));
  showPartitions(device);
  return knownNode(device, number);
}

function there(device: string): string {
  const numbers = partitionsOf(blockDeviceName(device) ?? "").map(({ partition }) => partition);
  if (numbers.length > 0) return `it has the partitions ${numbers.join(", ")}`;
  return missingPartitions(device) ?? "it has no partitions";
}

/** What there is to be said if a whole disk could not be mounted, undefined if it has no partitions. */
export function partitionHint(device: string): string | undefined {
  const found = deviceTable(device);
  if (found === undefined) return undefined;
  return `the disk has partitions (${found.table.kind}): -o partition=1 mounts the first one`;
}
