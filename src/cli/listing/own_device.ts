/**
 * Devices and sockets of this program. What is shown of them is the image, not what carries it: the
 * offset and the size limit are those asked for, within the virtual disk.
 *
 * @module
 */
import { type AttachState, isStale } from "../../daemon/state.ts";
import { idHere } from "../../daemon/processes.ts";
import { type DeviceNumber, encodeDevice } from "../../kernel/device_numbers.ts";
import type { ColumnName } from "./columns.ts";
import { type CellTable, type ListedDevice, paddedNumbers, type WantedFile } from "./device.ts";
import { type Disk, DISK_CELLS } from "./disk.ts";
import { LoopDevice } from "./loop_device.ts";
import { currentImageName, isImageOf } from "./image_name.ts";
import { formatOldLine } from "./old_line.ts";

/** What is known of an image on a device. */
export interface OwnImage {
  readonly image: string;
  readonly format: string;
  readonly transport: AttachState["transport"];
  /** Undefined for another user's: those can only see what the kernel says. */
  readonly state: AttachState | undefined;
}

export class OwnDevice implements ListedDevice {
  readonly isPlainLoop = false;
  readonly own: OwnImage;
  /** Undefined for a socket. */
  readonly disk: Disk | undefined;

  constructor(own: OwnImage, disk: Disk | undefined) {
    this.own = own;
    this.disk = disk;
  }

  cell(column: ColumnName): string | undefined {
    return CELLS[column](this);
  }

  get path(): string {
    return this.disk?.path ?? this.own.state?.device ?? "";
  }

  /** Device number of the file system the image lies on. */
  get imageDevice(): DeviceNumber | undefined {
    const [major, minor] = this.own.state?.imageDevice ?? [];
    return major === undefined || minor === undefined ? undefined : { major, minor };
  }

  /** As it is called now; marked as the kernel marks what was deleted. */
  get backingFile(): string {
    const { image, state } = this.own;
    return state === undefined ? image : currentImageName(state);
  }

  /** That of the layer that is written to counts, too. */
  isOf({ status, names }: WantedFile): boolean {
    const { image, state } = this.own;
    if (state === undefined) return names.includes(image);
    return [state, state.overlay].some((file) =>
      file !== undefined &&
      (status === undefined ? names.includes(file.image) : isImageOf(file, status))
    );
  }

  /** As xlosetup has it. */
  oldLine(): string {
    const { imageDevice } = this;
    const inode = this.cell("BACK-INO");
    return formatOldLine({
      name: this.cell("NAME") ?? "",
      backingFile: this.backingFile,
      ...(imageDevice === undefined || inode === undefined
        ? {}
        : { backingDevice: encodeDevice(imageDevice), backingInode: inode }),
      offset: this.cell("OFFSET"),
      sizeLimit: this.cell("SIZELIMIT"),
      format: this.own.format,
    });
  }
}

/** A loop device on top of nbd or FUSE, as the kernel sees it. */
function loopOf({ disk }: OwnDevice): LoopDevice | undefined {
  return disk?.name.startsWith("loop") ? new LoopDevice(disk) : undefined;
}

const ifDisk = (cell: (disk: Disk) => string | undefined) => ({ disk }: OwnDevice) =>
  disk && cell(disk);

const CELLS: CellTable<OwnDevice> = {
  "NAME": ({ disk, own }) => disk === undefined ? own.state?.device : disk.shownPath,
  "AUTOCLEAR": (device) =>
    loopOf(device)?.cell("AUTOCLEAR") ?? (device.own.state?.isLeaving === true ? "1" : "0"),
  "BACK-FILE": ({ backingFile }) => backingFile,
  "FILE-FORMAT": ({ own }) => own.format,
  "BACK-INO": ({ own: { state } }) => state && String(state.imageInode),
  "BACK-MAJ:MIN": ({ imageDevice }) => imageDevice && paddedNumbers(imageDevice, 8),
  "BACK-MAJ": ({ imageDevice }) => imageDevice && String(imageDevice.major),
  "BACK-MIN": ({ imageDevice }) => imageDevice && String(imageDevice.minor),
  "MAJ:MIN": ifDisk(DISK_CELLS["MAJ:MIN"]),
  "MAJ": ifDisk(DISK_CELLS["MAJ"]),
  "MIN": ifDisk(DISK_CELLS["MIN"]),
  "OFFSET": ({ own: { state } }) => state && String(state.offsetBytes),
  "PARTSCAN": (device) =>
    loopOf(device)?.cell("PARTSCAN") ?? (device.own.state?.partScan === true ? "1" : "0"),
  "REF": (device) => loopOf(device)?.cell("REF") ?? device.own.image,
  "RO": ({ disk, own }) => disk?.flag("ro") ?? (own.state?.readOnly ? "1" : "0"),
  "SIZELIMIT": ({ own: { state } }) => state && String(state.sizeLimitBytes),
  // The daemon reads through the page cache, whatever a loop device on top of it does.
  "DIO": () => "0",
  "LOG-SEC": ifDisk(DISK_CELLS["LOG-SEC"]),
  "SIZE": ({ disk, own }) => String(disk?.sizeBytes ?? own.state?.sizeBytes ?? 0),
  "PID": ({ own: { state } }) =>
    state === undefined || isStale(state) ? undefined : idHere(state)?.toString(),
  "TRANSPORT": ({ own }) => own.transport,
  "REVIVED": ({ own: { state } }) => state && String(state.revivals ?? 0),
};
