/**
 * The partition table on a device, or on what will be one.
 *
 * @module
 */
import { blockDeviceName, diskAttribute, diskSizeBytes } from "../kernel/block_devices.ts";
import { openNode } from "../kernel/device_nodes.ts";
import { type PartitionPlace, partitionPlace } from "../kernel/partition_place.ts";
import { type Disk, findPartitionTable, type PartitionTable } from "../kernel/partition_tables.ts";
import { DEFAULT_SECTOR_BYTES } from "../disk/sector_size.ts";
import { windowOf } from "../disk/window.ts";
import { ImageFile } from "../storage/image_file.ts";
import { ifPossible } from "../sys/errno.ts";
import { LentFd, O_RDONLY } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { IoBuffer } from "../sys/memory.ts";
import type { AttachCommand } from "./attach_command.ts";

/** A table, and the sector size of the device that it is on. */
export interface DeviceTable {
  readonly table: PartitionTable;
  readonly sectorBytes: number;
}

/** The partition table on a device; undefined if there is none, or that cannot be told. */
export function deviceTable(device: string): DeviceTable | undefined {
  return lookAt(device, (disk) => {
    const table = findPartitionTable(disk);
    return table && { table, sectorBytes: disk.sectorBytes };
  });
}

/** Where a partition of a device lies by its table; undefined if that is for other sectors, or has none of that number. */
export function placeOnDevice(device: string, number: number): PartitionPlace | undefined {
  return lookAt(device, (disk) => {
    const table = findPartitionTable(disk);
    return table?.sectorBytes === disk.sectorBytes
      ? partitionPlace(disk, table, number)
      : undefined;
  });
}

function lookAt<T>(device: string, look: (disk: Disk) => T | undefined): T | undefined {
  const disk = blockDeviceName(device);
  if (disk === undefined) return undefined;
  const sectorBytes = Number(diskAttribute(disk, "queue/logical_block_size"));
  if (!(sectorBytes > 0)) return undefined;
  const whole = { startBytes: 0, sizeBytes: diskSizeBytes(disk), sectorBytes };
  return ifPossible(() => {
    using fd = openNode(device, O_RDONLY);
    return look(partOfFile(fd.number, whole));
  });
}

/**
 * The sector size for what the window of a command shows of a RAW file, as far as it is asked for: of its
 * partition table, if that is.
 *
 * @throws {RangeError} as {@link windowOf}; {@link SystemError} if the file has no size
 */
export function sectorsOfFile(fd: number, command: AttachCommand): number | undefined {
  if (command.sectorBytes !== "auto") return command.sectorBytes;
  using file = new ImageFile(new LentFd(fd), command.file);
  const window = windowOf(file.sizeBytes, command);
  return findPartitionTable(partOfFile(fd, { ...window, sectorBytes: DEFAULT_SECTOR_BYTES }))
    ?.sectorBytes;
}

/** A part of a file, as a disk; its first byte lies at `startBytes`. */
function partOfFile(
  fd: number,
  { startBytes, sizeBytes, sectorBytes }: Omit<Disk, "read"> & { readonly startBytes: number },
): Disk {
  const read = (offset: number, lengthBytes: number): Uint8Array => {
    const count = Math.max(0, Math.min(lengthBytes, sizeBytes - offset));
    return readAt(fd, { offset: startBytes + offset, lengthBytes: count });
  };
  return { sizeBytes, sectorBytes, read };
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
