/**
 * Loop devices on files and block devices, whoever has set them up: losetup shows the same of them.
 *
 * @module
 */
import { encodeDevice } from "../../kernel/device_numbers.ts";
import { loopStatusIfAny } from "../../kernel/loop_status.ts";
import type { LoopStatus } from "../../kernel/loop_layout.ts";
import type { ColumnName } from "./columns.ts";
import { type CellTable, type ListedDevice, paddedNumbers, type WantedFile } from "./device.ts";
import { type Disk, DISK_CELLS } from "./disk.ts";
import { formatOldLine } from "./old_line.ts";

export class LoopDevice implements ListedDevice {
  readonly isPlainLoop = true;
  readonly disk: Disk;
  #status: LoopStatus | undefined | "unknown" = "unknown";

  constructor(disk: Disk) {
    this.disk = disk;
  }

  cell(column: ColumnName): string | undefined {
    return CELLS[column](this);
  }

  get path(): string {
    return this.disk.path;
  }

  /** As the kernel names it; undefined if the device is not attached. */
  get backingFile(): string | undefined {
    return this.disk.attribute("loop/backing_file");
  }

  /** What sysfs does not have. Undefined for users who may not open the device. */
  get status(): LoopStatus | undefined {
    if (this.#status === "unknown") {
      this.#status = this.disk.hasNode ? loopStatusIfAny(this.disk.path) : undefined;
    }
    return this.#status;
  }

  /** By device and inode; by name only where those cannot be known. */
  isOf({ status, names }: WantedFile): boolean {
    if (status === undefined || this.status === undefined) {
      return this.backingFile !== undefined && names.includes(this.backingFile);
    }
    const { backingDevice: { major, minor }, backingInode } = this.status;
    return backingInode === status.exactInode && major === status.deviceMajor &&
      minor === status.deviceMinor;
  }

  /** losetup's line about one device; undefined if it is not attached. */
  oldLine(): string | undefined {
    const { backingFile, status } = this;
    if (backingFile === undefined) return undefined;
    return formatOldLine({
      name: this.disk.shownPath,
      backingFile,
      ...(status === undefined ? {} : {
        backingDevice: encodeDevice(status.backingDevice),
        backingInode: String(status.backingInode),
      }),
      offset: this.cell("OFFSET"),
      sizeLimit: this.cell("SIZELIMIT"),
    });
  }
}

const ifAttached = (value: string) => ({ backingFile }: LoopDevice): string | undefined =>
  backingFile === undefined ? undefined : value;

const CELLS: CellTable<LoopDevice> = {
  "NAME": ({ disk }) => DISK_CELLS["NAME"](disk),
  "AUTOCLEAR": ({ disk }) => disk.flag("loop/autoclear"),
  "BACK-FILE": ({ backingFile }) => backingFile,
  "FILE-FORMAT": ifAttached("RAW"),
  "BACK-INO": ({ status }) => status && String(status.backingInode),
  "BACK-MAJ:MIN": ({ status }) => status && paddedNumbers(status.backingDevice, 8),
  "BACK-MAJ": ({ status }) => status && String(status.backingDevice.major),
  "BACK-MIN": ({ status }) => status && String(status.backingDevice.minor),
  "MAJ:MIN": ({ disk }) => DISK_CELLS["MAJ:MIN"](disk),
  "MAJ": ({ disk }) => DISK_CELLS["MAJ"](disk),
  "MIN": ({ disk }) => DISK_CELLS["MIN"](disk),
  "OFFSET": ({ disk }) => disk.attribute("loop/offset"),
  // Kernels that do not say so scan (3.2 and later, which do say so, of devices that are attached).
  "PARTSCAN": ({ disk }) => disk.flag("loop/partscan", "1"),
  "REF": ({ status }) => status?.fileName,
  "RO": ({ disk }) => DISK_CELLS["RO"](disk),
  "SIZELIMIT": ({ disk }) => disk.attribute("loop/sizelimit"),
  "DIO": ({ disk }) => disk.flag("loop/dio"),
  "LOG-SEC": ({ disk }) => DISK_CELLS["LOG-SEC"](disk),
  "SIZE": ({ disk }) => DISK_CELLS["SIZE"](disk),
  "PID": () => undefined,
  "TRANSPORT": ifAttached("loop"),
  "REVIVED": () => undefined,
};
