/**
 * What a listing shows of a device, whatever kind it is.
 *
 * @module
 */
import type { FileStatus } from "../../sys/files.ts";
import type { ColumnName } from "./columns.ts";

/** A device or socket. Nothing of it is looked up before it is asked for. */
export interface ListedDevice {
  /** Whether it is just what losetup would show: a loop device on a file or block device. */
  readonly isPlainLoop: boolean;
  /** What is in a column; undefined if there is nothing to say, or this user may not know. */
  cell(column: ColumnName): string | undefined;
  /** What it is detached by. */
  readonly path: string;
  /** Whether its image is this file, or is written to it. */
  isOf(file: WantedFile): boolean;
}

/** The file of `-j`. */
export interface WantedFile {
  /** Undefined if there is no such file, or none this user may see. */
  readonly status: FileStatus | undefined;
  /** As given, and without links if it exists: kernels may tell names only. */
  readonly names: readonly string[];
}

/** How to find out what is in each column. */
export type CellTable<D> = Readonly<Record<ColumnName, (device: D) => string | undefined>>;

/** Numbers of a device as losetup pads them, also in JSON (`%8u:%-3u` for the backing file's). */
export function paddedNumbers(
  { major, minor }: { readonly major: number; readonly minor: number },
  width: number,
): string {
  return `${String(major).padStart(width)}:${String(minor).padEnd(3)}`;
}
