/**
 * Where it can be learned which block devices there are and what they are like.
 *
 * @module
 */
import type { DeviceNumber } from "./device_numbers.ts";

/** A block device by the kernel's name, which is also that of its node in /dev. */
export interface KnownDevice {
  readonly name: string;
  readonly number: DeviceNumber;
}

/** A partition of a disk. */
export interface KnownPartition extends KnownDevice {
  /** Its place in the partition table, from 1. */
  readonly partition: number;
}

/** One way to learn it. What cannot be learned is left out, or undefined. */
export interface DiskSource {
  /** Names of whole disks, in the kernel's order, which is none of names. */
  disks(): string[];

  /** Whether there is a whole disk of that name. */
  hasDisk(name: string): boolean;

  /** Attribute of a whole disk by its path below /sys/block/DISK, without the newline at its end. */
  attribute(disk: string, path: string): string | undefined;

  numberOf(disk: string): DeviceNumber | undefined;

  /** In the order of the partition table. */
  partitionsOf(disk: string): KnownPartition[];

  /** Name of the disk or partition that has this number. */
  nameOf(number: DeviceNumber): string | undefined;
}
