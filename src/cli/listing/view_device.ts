/**
 * Loop devices that show an image by a view. The kernel knows most of them: offset and size limit are
 * those within the virtual disk already, but for a limit that only spares a part of a sector.
 *
 * @module
 */
import type { ViewDescription } from "../../view/description.ts";
import { encodeDevice } from "../../kernel/device_numbers.ts";
import type { ColumnName } from "./columns.ts";
import { type CellTable, type ListedDevice, paddedNumbers, type WantedFile } from "./device.ts";
import { currentViewName, isImageOf } from "./image_name.ts";
import type { LoopDevice } from "./loop_device.ts";
import { formatOldLine } from "./old_line.ts";

export class ViewDevice implements ListedDevice {
  readonly isPlainLoop = false;

  constructor(readonly loop: LoopDevice, readonly shown: ViewDescription) {}

  cell(column: ColumnName): string | undefined {
    const cell = CELLS[column];
    return cell === undefined ? this.loop.cell(column) : cell(this);
  }

  get path(): string {
    return this.loop.path;
  }

  /** By device and inode; by name only where those cannot be known. */
  isOf({ status, names }: WantedFile): boolean {
    return status === undefined ? names.includes(this.shown.image) : isImageOf(this.shown, status);
  }

  /** As xlosetup has it. */
  oldLine(): string | undefined {
    const { format, imageDevice: [major, minor], imageInode } = this.shown;
    return formatOldLine({
      name: this.cell("NAME") ?? "",
      backingFile: currentViewName(this.shown),
      backingDevice: encodeDevice({ major, minor }),
      backingInode: String(imageInode),
      offset: this.cell("OFFSET"),
      sizeLimit: this.cell("SIZELIMIT"),
      format,
    });
  }
}

const deviceOf = ({ shown: { imageDevice: [major, minor] } }: ViewDevice) => ({ major, minor });

/** What the loop device itself would tell otherwise. */
const CELLS: Partial<CellTable<ViewDevice>> = {
  "BACK-FILE": ({ shown }) => currentViewName(shown),
  "FILE-FORMAT": ({ shown }) => shown.format,
  "BACK-INO": ({ shown }) => String(shown.imageInode),
  "BACK-MAJ:MIN": (device) => paddedNumbers(deviceOf(device), 8),
  "BACK-MAJ": (device) => String(deviceOf(device).major),
  "BACK-MIN": (device) => String(deviceOf(device).minor),
  "SIZELIMIT": ({ shown, loop }) => shown.sizeLimitBytes?.toString() ?? loop.cell("SIZELIMIT"),
  "PID": () => undefined,
  "TRANSPORT": () => "view",
};
