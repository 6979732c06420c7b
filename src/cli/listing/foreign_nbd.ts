/**
 * nbd devices that another program has connected: all there is to say is what the kernel knows.
 *
 * @module
 */
import type { ColumnName } from "./columns.ts";
import type { CellTable, ListedDevice, WantedFile } from "./device.ts";
import { type Disk, DISK_CELLS } from "./disk.ts";
import { formatOldLine } from "./old_line.ts";

export class ForeignNbd implements ListedDevice {
  readonly isPlainLoop = false;
  readonly disk: Disk;

  constructor(disk: Disk) {
    this.disk = disk;
  }

  cell(column: ColumnName): string | undefined {
    return CELLS[column]?.(this.disk);
  }

  get path(): string {
    return this.disk.path;
  }

  /** Its image, if it has one, may be on another machine. */
  isOf(_file: WantedFile): boolean {
    return false;
  }

  oldLine(): string {
    return formatOldLine({
      name: this.disk.shownPath,
      backingFile: this.cell("BACK-FILE") ?? "-",
      offset: undefined,
      sizeLimit: undefined,
    });
  }
}

const CELLS: Partial<CellTable<Disk>> = {
  ...DISK_CELLS,
  "AUTOCLEAR": () => "0",
  "BACK-FILE": (disk) => disk.attribute("backend") || undefined,
  // The driver scans whenever it may (disk_ext_range_show, block/genhd.c).
  "PARTSCAN": (disk) => Number(disk.attribute("ext_range") ?? 1) > 1 ? "1" : "0",
  "DIO": () => "0",
  "PID": (disk) => disk.attribute("pid"),
  "TRANSPORT": () => "nbd",
};
