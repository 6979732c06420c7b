/**
 * Clearing away what devices leave behind when they go: their partitions' nodes, and the partitions
 * themselves of nbd devices.
 *
 * @module
 */
import { unsortedDiskNames } from "../kernel/block_devices.ts";
import { removeStalePartitionNodes } from "../kernel/device_nodes.ts";
import { nbdDevice, nbdIndex } from "../kernel/nbd_devices.ts";
import { dropPartitions } from "../kernel/partitions.ts";
import { hasSysfs } from "../kernel/sysfs_disks.ts";
import { complain } from "../sys/console.ts";

/**
 * Clears away what is left of all loop and nbd devices, whoever has detached them, and when: a device
 * that was in use goes long after `-d`. What cannot be cleared away, the user is told of.
 */
export function clearRemains(): void {
  if (hasSysfs()) unsortedDiskNames("nbd").filter(isDisconnected).forEach(dropPartitions);
  for (const path of removeStalePartitionNodes()) {
    complain(`${path}: warning: its partition has gone, and it may lead to another disk`);
  }
}

function isDisconnected(name: string): boolean {
  const index = nbdIndex(name);
  return index !== undefined && nbdDevice(index)?.connected === false;
}
