/**
 * Which part of a disk is mounted.
 *
 * @module
 */
import { deviceTable } from "../device/device_table.ts";
import { missingPartitions } from "../device/partition_warning.ts";
import { blockDeviceName, partitionsOf } from "../kernel/block_devices.ts";
import { showPartitions } from "../kernel/partitions.ts";
import { CommandError } from "../sys/command_error.ts";

/**
 * The node of a partition, or of the whole disk if none is asked for.
 *
 * @throws {CommandError} if there is no such partition
 */
export function partitionNode(device: string, partition: number | undefined): string {
  if (partition === undefined) return device;
  showPartitions(device);
  const all = partitionsOf(blockDeviceName(device) ?? "");
  const found = all.find((candidate) => candidate.partition === partition);
  if (found !== undefined) return `/dev/${found.name}`;
  throw new CommandError(`there is no partition ${partition} on the disk: ${there(device)}`);
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
