/**
 * What there is to be said of a partition table on a device: why no partitions come of it, although they
 * were to be shown, or that it was made for sectors of another size.
 *
 * @module
 */
import { blockDeviceName, partitionsOf } from "../kernel/block_devices.ts";
import type { AttachCommand } from "./attach_command.ts";
import { type DeviceTable, deviceTable } from "./device_table.ts";

/** A line about the partition table of a device that has been set up, undefined if there is none to say. */
export function partitionWarning(
  device: string,
  { partScan, sectorBytes }: Pick<AttachCommand, "partScan" | "sectorBytes">,
): string | undefined {
  if (partScan) {
    const missing = missingPartitions(device);
    return missing && `warning: no partitions: ${missing}${remedy(device)}`;
  }
  const found = sectorBytes === undefined ? deviceTable(device) : undefined;
  return found && wrongSectors(found);
}

/** Why a disk with a partition table has no partitions, if that is so. */
export function missingPartitions(device: string): string | undefined {
  const disk = blockDeviceName(device);
  if (disk === undefined || partitionsOf(disk).length > 0) return undefined;
  const found = deviceTable(device);
  if (found === undefined) return undefined;
  const { table } = found;
  return table.sectorBytes === found.sectorBytes
    ? `the kernel makes nothing of the partition table (${table.kind}), whose kind it may not know`
    : mismatch(found);
}

function remedy(device: string): string {
  const found = deviceTable(device);
  return found === undefined || found.table.sectorBytes === found.sectorBytes
    ? `; partx -a ${device} adds them`
    : `; -b ${found.table.sectorBytes} shows them`;
}

function wrongSectors(found: DeviceTable): string | undefined {
  const { table, sectorBytes } = found;
  if (table.sectorBytes === sectorBytes) return undefined;
  return `warning: ${mismatch(found)} (-b ${table.sectorBytes}, or -b auto)`;
}

function mismatch({ table, sectorBytes }: DeviceTable): string {
  return `the partition table (${table.kind}) is made for sectors of ${table.sectorBytes} bytes, ` +
    `not ${sectorBytes}`;
}
