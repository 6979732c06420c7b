/**
 * Block devices as sysfs shows them (Documentation/ABI/stable/sysfs-block).
 *
 * @module
 */
import { unsortedDirectory } from "../sys/directories.ts";
import { fileSystemAt, SYSFS_MAGIC } from "../sys/file_systems.ts";
import { fileExists, readAttributeIfAny } from "../sys/files.ts";
import { realPath } from "../sys/paths.ts";
import { formatDeviceNumber, parseDeviceNumber } from "./device_numbers.ts";
import { KernelFeatureError } from "./feature_error.ts";
import type { DiskSource, KnownPartition } from "./disk_source.ts";

const SYS_BLOCK = "/sys/block";
const SYS_DEV_BLOCK = "/sys/dev/block";

/** Whether sysfs is mounted. (Containers may have an empty folder, or a tmpfs, in its place.) */
export function hasSysfs(): boolean {
  return fileSystemAt(SYS_BLOCK)?.type === SYSFS_MAGIC;
}

/**
 * Makes sure that what the kernel says of nbd devices can be seen.
 *
 * @param hint what to do without, behind a semicolon
 * @throws {KernelFeatureError} if sysfs is not mounted
 */
export function requireSysfs(hint = ""): void {
  if (hasSysfs()) return;
  const obstacle = fileExists(SYS_BLOCK)
    ? `${SYS_BLOCK} is not the kernel's`
    : "/sys is not mounted";
  throw new KernelFeatureError("sysfs", `${obstacle}, and nbd devices need it${hint}`);
}

/** Path of a whole disk's attribute. */
export function diskAttributePath(disk: string, attribute: string): string {
  return `${SYS_BLOCK}/${disk}/${attribute}`;
}

export const SYSFS_DISKS: DiskSource = {
  disks: () => unsortedDirectory(SYS_BLOCK),
  hasDisk: (name) => fileExists(`${SYS_BLOCK}/${name}`),
  attribute,
  numberOf: (disk) => parseDeviceNumber(attribute(disk, "dev")),
  partitionsOf,
  nameOf: (number) => {
    const link = `${SYS_DEV_BLOCK}/${formatDeviceNumber(number)}`;
    return fileExists(link) ? realPath(link).split("/").at(-1) : undefined;
  },
};

function attribute(disk: string, path: string): string | undefined {
  return readAttributeIfAny(diskAttributePath(disk, path));
}

function partitionsOf(disk: string): KnownPartition[] {
  return unsortedDirectory(`${SYS_BLOCK}/${disk}`)
    .filter((entry) => entry.startsWith(disk))
    .flatMap((name) => {
      const partition = attribute(disk, `${name}/partition`);
      const number = parseDeviceNumber(attribute(disk, `${name}/dev`));
      if (partition === undefined || number === undefined) return [];
      return [{ name, number, partition: Number(partition) }];
    })
    .sort((a, b) => a.partition - b.partition);
}
