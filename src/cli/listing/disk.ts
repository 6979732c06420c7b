/**
 * What the kernel says of a block device, read when it is asked for, and once.
 *
 * @module
 */
import { diskAttribute, nodePath, SECTOR_BYTES } from "../../kernel/block_devices.ts";
import {
  blockDeviceNumber,
  type DeviceNumber,
  isSameNumber,
  parseDeviceNumber,
} from "../../kernel/device_numbers.ts";
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
      this.#attributes.set(name, diskAttribute(this.name, name));
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

  /** Whether its path leads to it: in a /dev that is no devtmpfs, also to nothing or another device. */
  get hasNode(): boolean {
    const { number } = this;
    const found = blockDeviceNumber(this.path);
    return found !== undefined && (number === undefined || isSameNumber(number, found));
  }

  /** The path, with a mark if the device is not there (as losetup 2.42 says it). */
  get shownPath(): string {
    return this.hasNode ? this.path : `${this.path} (lost)`;
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
