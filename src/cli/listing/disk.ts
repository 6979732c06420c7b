/**
 * What sysfs says of a block device, read when it is asked for, and once.
 *
 * @module
 */
import {
  type DeviceNumber,
  diskAttributePath,
  nodePath,
  parseDeviceNumber,
  SECTOR_BYTES,
} from "../../kernel/block_devices.ts";
import { fileExists, readAttributeIfAny } from "../../sys/files.ts";
import { type CellTable, paddedNumbers } from "./device.ts";

export class Disk {
  /** The kernel's name, for example `loop0`. */
  readonly name: string;
  /** What the user calls it. */
  readonly path: string;
  readonly #attributes = new Map<string, string | undefined>();

  constructor(name: string, path = nodePath(name)) {
    this.name = name;
    this.path = path;
  }

  /** Undefined where the device has no such attribute. */
  attribute(name: string): string | undefined {
    if (!this.#attributes.has(name)) {
      this.#attributes.set(name, readAttributeIfAny(diskAttributePath(this.name, name)));
    }
    return this.#attributes.get(name);
  }

  /** A flag as losetup shows it; `otherwise` where the kernel has no such attribute. */
  flag(name: string, otherwise = "0"): string {
    const value = this.attribute(name) ?? otherwise;
    return Number(value) === 0 ? "0" : "1";
  }

  get number(): DeviceNumber | undefined {
    return parseDeviceNumber(this.attribute("dev"));
  }

  get sizeBytes(): number {
    return Number(this.attribute("size") ?? 0) * SECTOR_BYTES;
  }

  /** The path, with a mark if nothing lies there (as losetup 2.42 says it). */
  get shownPath(): string {
    return fileExists(this.path) ? this.path : `${this.path} (lost)`;
  }
}

/** The columns that are the same for all block devices. */
export const DISK_CELLS = {
  "NAME": (disk) => disk.shownPath,
  "MAJ:MIN": ({ number }) => number && paddedNumbers(number, 3),
  "MAJ": ({ number }) => number && String(number.major),
  "MIN": ({ number }) => number && String(number.minor),
  "RO": (disk) => disk.flag("ro"),
  "LOG-SEC": (disk) => disk.attribute("queue/logical_block_size"),
  "SIZE": ({ sizeBytes }) => String(sizeBytes),
} as const satisfies Partial<CellTable<Disk>>;
