/**
 * Why a device that was to show its partitions shows none, although there is a partition table.
 *
 * @module
 */
import {
  blockDeviceName,
  diskAttribute,
  diskSizeBytes,
  partitionsOf,
} from "../kernel/block_devices.ts";
import { openNode } from "../kernel/device_nodes.ts";
import { findPartitionTable, type PartitionTable } from "../kernel/partition_tables.ts";
import { ifPossible } from "../sys/errno.ts";
import { O_RDONLY } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { IoBuffer } from "../sys/memory.ts";

/** A line about partitions that are missing, undefined if none are, or if that cannot be told. */
export function partitionWarning(device: string): string | undefined {
  const disk = blockDeviceName(device);
  if (disk === undefined || partitionsOf(disk).length > 0) return undefined;
  const sectorBytes = Number(diskAttribute(disk, "queue/logical_block_size"));
  if (!(sectorBytes > 0)) return undefined;
  const table = ifPossible(() => {
    using fd = openNode(device, O_RDONLY);
    const read = (offset: number, lengthBytes: number): Uint8Array =>
      readAt(fd.number, { offset, lengthBytes });
    return findPartitionTable({ sizeBytes: diskSizeBytes(disk), sectorBytes, read });
  });
  return table && explain(table, { device, sectorBytes });
}

/** What can be read there: nothing if that fails. */
function readAt(
  fd: number,
  { offset, lengthBytes }: { readonly offset: number; readonly lengthBytes: number },
): Uint8Array {
  const buffer = new IoBuffer(lengthBytes);
  const count = libc().pread(fd, buffer.address, lengthBytes, offset);
  return buffer.bytes.subarray(0, Math.max(count, 0));
}

function explain(
  { kind, sectorBytes }: PartitionTable,
  device: { readonly device: string; readonly sectorBytes: number },
): string {
  if (sectorBytes !== device.sectorBytes) {
    return `warning: no partitions: the partition table (${kind}) is made for sectors of ` +
      `${sectorBytes} bytes, not ${device.sectorBytes}; -b ${sectorBytes} shows them`;
  }
  return `warning: no partitions: the kernel makes nothing of the partition table (${kind}), whose ` +
    `kind it may not know; partx -a ${device.device} adds them`;
}
