/**
 * The one line that losetup has always printed about a device.
 *
 * @module
 */

export interface OldLine {
  readonly name: string;
  readonly backingFile: string;
  /** The `dev_t` of the file system it lies on; left out where it is not known, and so is the inode. */
  readonly backingDevice?: number;
  readonly backingInode?: string;
  /** In bytes; nothing is said of 0. */
  readonly offset: string | undefined;
  readonly sizeLimit: string | undefined;
  /** Left out for what losetup knows, too. */
  readonly format?: string | undefined;
}

/** `/dev/loop0: [64512]:1234 (/img), offset 512, sizelimit 1024`, and xlosetup's `, file-format QCOW`. */
export function formatOldLine(line: OldLine): string {
  const { backingDevice, backingInode } = line;
  const identity = backingDevice === undefined
    ? "[]:"
    : `[${String(backingDevice).padStart(4, "0")}]:${backingInode}`;
  const format = line.format === undefined ? "" : `, file-format ${line.format}`;
  const details = numberPart("offset", line.offset) + numberPart("sizelimit", line.sizeLimit);
  return `${line.name}: ${identity} (${line.backingFile})${details}${format}\n`;
}

function numberPart(name: string, value: string | undefined): string {
  return value === undefined || value === "0" ? "" : `, ${name} ${value}`;
}
