/**
 * The columns of `--list`.
 *
 * losetup's own have its words, width hints and alignment (losetup 2.38.1 and, for those it lacks,
 * 2.42: sys-utils/losetup.c, `infos`); ours are FILE-FORMAT, SIZE, PID, TRANSPORT and
 * REVIVED.
 *
 * @module
 */
import type { Column } from "./table.ts";

export interface ListColumn extends Column {
  /** What a value is in JSON; one that is missing is null, or false for a boolean. */
  readonly json: "string" | "number" | "boolean";
  readonly help: string;
}

/** In the order of `--output-all`, which is that of losetup. FILE-FORMAT follows BACK-FILE, as in xlosetup. */
export const LIST_COLUMNS = [
  { heading: "NAME", align: "left", widthHint: 0.25, json: "string", help: "loop device name" },
  {
    heading: "AUTOCLEAR",
    align: "right",
    widthHint: 1,
    json: "boolean",
    help: "autoclear flag set",
  },
  {
    heading: "BACK-FILE",
    align: "left",
    widthHint: 0.3,
    json: "string",
    help: "device backing file",
  },
  {
    heading: "FILE-FORMAT",
    align: "left",
    widthHint: 4,
    json: "string",
    help: "format of the backing file",
  },
  {
    heading: "BACK-INO",
    align: "right",
    widthHint: 4,
    json: "number",
    help: "backing file inode number",
  },
  {
    heading: "BACK-MAJ:MIN",
    align: "left",
    widthHint: 6,
    json: "string",
    help: "backing file major:minor device number",
  },
  {
    heading: "BACK-MAJ",
    align: "left",
    widthHint: 6,
    json: "string",
    help: "backing file major device number",
  },
  {
    heading: "BACK-MIN",
    align: "left",
    widthHint: 6,
    json: "string",
    help: "backing file minor device number",
  },
  {
    heading: "MAJ:MIN",
    align: "left",
    widthHint: 3,
    json: "string",
    help: "loop device major:minor number",
  },
  {
    heading: "MAJ",
    align: "right",
    widthHint: 1,
    json: "number",
    help: "loop device major number",
  },
  {
    heading: "MIN",
    align: "right",
    widthHint: 1,
    json: "number",
    help: "loop device minor number",
  },
  {
    heading: "OFFSET",
    align: "right",
    widthHint: 5,
    json: "number",
    help: "offset from the beginning",
  },
  {
    heading: "PARTSCAN",
    align: "right",
    widthHint: 1,
    json: "boolean",
    help: "partscan flag set",
  },
  {
    heading: "REF",
    align: "left",
    widthHint: 0.1,
    json: "string",
    help: "loop device reference string",
  },
  { heading: "RO", align: "right", widthHint: 1, json: "boolean", help: "read-only device" },
  {
    heading: "SIZELIMIT",
    align: "right",
    widthHint: 5,
    json: "number",
    help: "size limit of the file in bytes",
  },
  {
    heading: "DIO",
    align: "right",
    widthHint: 1,
    json: "boolean",
    help: "access backing file with direct-io",
  },
  {
    heading: "LOG-SEC",
    align: "right",
    widthHint: 4,
    json: "number",
    help: "logical sector size in bytes",
  },
  {
    heading: "SIZE",
    align: "right",
    widthHint: 5,
    json: "number",
    help: "size of the device in bytes",
  },
  {
    heading: "PID",
    align: "right",
    widthHint: 4,
    json: "number",
    help: "process that serves the device",
  },
  {
    heading: "TRANSPORT",
    align: "left",
    widthHint: 4,
    json: "string",
    help: "how the device is made: loop, view, nbd, fuse or socket",
  },
  {
    heading: "REVIVED",
    align: "right",
    widthHint: 1,
    json: "number",
    help: "how often its process was killed, and another took its place",
  },
] as const satisfies readonly ListColumn[];

export type ColumnName = (typeof LIST_COLUMNS)[number]["heading"];
/** A column there is. */
export type KnownColumn = ListColumn & { readonly heading: ColumnName };

/** The columns that losetup does not have. */
export const OWN_COLUMNS: ReadonlySet<ColumnName> = new Set([
  "FILE-FORMAT",
  "SIZE",
  "PID",
  "TRANSPORT",
  "REVIVED",
]);

/** The column of that name. */
export function columnOf(name: ColumnName): KnownColumn {
  const column = LIST_COLUMNS.find(({ heading }) => heading === name);
  if (column === undefined) throw new RangeError(`no column ${name}`);
  return column;
}
