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
    const unread = unreadTable(device);
    return unread && `warning: no partitions: ${reasonFor(unread)}; ${remedy(device, unread)}`;
  }
  const found = sectorBytes === undefined ? deviceTable(device) : undefined;
  return found && wrongSectors(found);
}

/** Why a disk with a partition table has no partitions, if that is so. */
export function missingPartitions(device: string): string | undefined {
  const unread = unreadTable(device);
  return unread && reasonFor(unread);
}

/** The table of a disk that has no partitions by it. */
function unreadTable(device: string): DeviceTable | undefined {
  const disk = blockDeviceName(device);
  return disk === undefined || partitionsOf(disk).length > 0 ? undefined : deviceTable(device);
}

function isForOtherSectors({ table, sectorBytes }: DeviceTable): boolean {
  return table.sectorBytes !== sectorBytes;
}

function reasonFor(unread: DeviceTable): string {
  if (isForOtherSectors(unread)) return mismatch(unread);
  const { kind } = unread.table;
  return `the kernel makes nothing of the partition table (${kind}), whose kind it may not know`;
}

function remedy(device: string, unread: DeviceTable): string {
  if (isForOtherSectors(unread)) return `-b ${unread.table.sectorBytes} shows them`;
  return `partx -a ${device} adds them`;
}

function wrongSectors(found: DeviceTable): string | undefined {
  if (!isForOtherSectors(found)) return undefined;
  return `warning: ${mismatch(found)} (-b ${found.table.sectorBytes}, or -b auto)`;
}

function mismatch({ table, sectorBytes }: DeviceTable): string {
  return `the partition table (${table.kind}) is made for sectors of ${table.sectorBytes} bytes, ` +
    `not ${sectorBytes}`;
}
