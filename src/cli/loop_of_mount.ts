/**
 * The loop device that mount(8) makes of an image before it calls its helper, where it is told `loop`,
 * `offset=` or `sizelimit=`: it takes these for itself, whatever the type (libmount,
 * `mnt_context_is_loopdev`), and its helper does not hear of them.
 *
 * Such a device shows the image's file, not the disk in it, and knows nothing of locks. So what it is of,
 * and where it begins and ends, is all that is taken of it: nothing is read or written through it. It goes
 * when mount(8) ends, which holds it open while its helper runs; that also tells it from a device that
 * somebody has named, on which an image lies.
 *
 * @module
 */
import { blockDeviceNumber, type DeviceNumber, isSameNumber } from "../kernel/device_numbers.ts";
import { blockDeviceName } from "../kernel/block_devices.ts";
import { loopBackingPath, loopNumber, loopStatusIfAny } from "../kernel/loop_status.ts";
import type { LoopStatus } from "../kernel/loop_layout.ts";
import { deviceUsers } from "../kernel/users.ts";
import { CommandError } from "../sys/command_error.ts";
import { unsortedDirectory } from "../sys/directories.ts";
import { fileStatusIfAny } from "../sys/files.ts";
import type { MountedImage } from "./words/mount_command.ts";

/**
 * What is below the source of a mount, if mount(8) has made a loop device of that.
 *
 * @throws {CommandError} if it cannot be told
 */
export function loopedImage(source: string): MountedImage | undefined {
  const name = blockDeviceName(source);
  if (name === undefined || loopNumber(name) === undefined) return undefined;
  const status = loopStatusIfAny(source);
  const number = blockDeviceNumber(source);
  if (status === undefined || number === undefined || !isOfParent(number, status)) return undefined;
  const file = loopBackingPath(name);
  if (file === undefined || !isOnFile(status, file)) {
    throw new CommandError(
      `${source}: mount(8) has made this loop device of an image that cannot be found; ` +
        "mount without loop, offset= and sizelimit=",
    );
  }
  const { offsetBytes, sizeLimitBytes, autoClear } = status;
  const isAlone = autoClear && deviceUsers(source).length === 0;
  return { file, offsetBytes, sizeLimitBytes, passedOver: isAlone ? source : undefined };
}

/** Whether the process that runs this one has the device open; if that is a secret, what it is like tells. */
function isOfParent(number: DeviceNumber, { autoClear }: LoopStatus): boolean {
  const folder = `/proc/${Deno.ppid}/fd`;
  const names = unsortedDirectory(folder);
  if (names.length === 0) return autoClear;
  return names.some((name) => {
    const open = blockDeviceNumber(`${folder}/${name}`);
    return open !== undefined && isSameNumber(open, number);
  });
}

function isOnFile({ backingDevice, backingInode }: LoopStatus, file: string): boolean {
  const status = fileStatusIfAny(file);
  return status !== undefined && status.exactInode === backingInode &&
    isSameNumber({ major: status.deviceMajor, minor: status.deviceMinor }, backingDevice);
}
