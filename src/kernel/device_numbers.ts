/**
 * Numbers of devices, as the kernel writes and encodes them.
 *
 * @module
 */
import { fileStatusIfAny } from "../sys/files.ts";

/** Major number of loop devices (linux/major.h). */
export const LOOP_MAJOR = 7;

/** Major and minor number of a device. */
export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** A device number in sysfs' and mountinfo's spelling, `43:0`. */
export function formatDeviceNumber({ major, minor }: DeviceNumber): string {
  return `${major}:${minor}`;
}

/** Number from the kernel's `43:0`, or undefined. */
export function parseDeviceNumber(text: string | undefined): DeviceNumber | undefined {
  const match = /^(\d+):(\d+)$/.exec(text?.trim() ?? "");
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}

/** The block device a path leads to, or undefined if it is none. */
export function blockDeviceNumber(path: string): DeviceNumber | undefined {
  const status = fileStatusIfAny(path);
  if (status?.kind !== "block") return undefined;
  return { major: status.specialMajor, minor: status.specialMinor };
}

/** Whether both are the number of the same device. */
export function isSameNumber(one: DeviceNumber, other: DeviceNumber): boolean {
  return one.major === other.major && one.minor === other.minor;
}

/**
 * A device number as system calls and structures carry it (new_encode_dev, linux/kdev_t.h).
 *
 * @throws {RangeError} if the minor number has more than 20 bits
 */
export function encodeDevice({ major, minor }: DeviceNumber): number {
  if (minor >= 2 ** 20) throw new RangeError(`no device number: ${major}:${minor}`);
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

/** The reverse of {@link encodeDevice}. */
export function decodeDevice(encoded: number): DeviceNumber {
  return { major: (encoded >>> 8) & 0xfff, minor: (encoded & 0xff) | ((encoded >>> 12) & 0xfff00) };
}
