/**
 * Telling a loop device of ours from what has come after it.
 *
 * @module
 */
import type { AttachState } from "../daemon/state.ts";
import { diskPath } from "../fuse/disk_path.ts";
import { diskAttribute } from "../kernel/block_devices.ts";
import { loopBackingPath } from "../kernel/loop_status.ts";
import { hasSysfs } from "../kernel/sysfs_disks.ts";

/** Whether the loop device of a state over FUSE still carries its image, and is not another's. */
export function isSameLoop({ device, diskSequence, image }: AttachState): boolean {
  const name = device.slice(device.lastIndexOf("/") + 1);
  const backing = loopBackingPath(name);
  // Without sysfs, only the device's label is known, which is what --loop-ref has asked for.
  if (backing === undefined || (hasSysfs() && backing !== diskPath(image))) return false;
  return diskSequence === undefined || diskAttribute(name, "diskseq") === diskSequence;
}
