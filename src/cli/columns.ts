/**
 * The columns of `--list`. Those losetup has keep its words and alignment (losetup 2.38.1).
 *
 * @module
 */
import type { Column } from "./table.ts";

export interface ListColumn extends Column {
  readonly help: string;
}

/** In the order they are printed. FILE-FORMAT follows BACK-FILE, as in xlosetup. */
export const LIST_COLUMNS = [
  { heading: "NAME", align: "left", help: "device or socket name" },
  { heading: "RO", align: "right", help: "read-only device" },
  { heading: "BACK-FILE", align: "left", help: "device backing file" },
  { heading: "FILE-FORMAT", align: "left", help: "format of the backing file" },
  { heading: "SIZE", align: "right", help: "size of the device in bytes" },
  { heading: "OFFSET", align: "right", help: "offset from the beginning of the virtual disk" },
  { heading: "SIZELIMIT", align: "right", help: "size limit of the virtual disk in bytes" },
  { heading: "PID", align: "right", help: "process that serves the device" },
] as const satisfies readonly ListColumn[];

export type ColumnName = (typeof LIST_COLUMNS)[number]["heading"];
