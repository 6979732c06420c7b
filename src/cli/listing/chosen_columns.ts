/**
 * Which columns are shown.
 *
 * @module
 */
import {
  type ColumnName,
  columnOf,
  type KnownColumn,
  LIST_COLUMNS,
  OWN_COLUMNS,
} from "./columns.ts";

/** What is shown unless columns are named, where all devices are losetup's. */
const LOSETUP_DEFAULT: readonly ColumnName[] = [
  "NAME",
  "SIZELIMIT",
  "OFFSET",
  "AUTOCLEAR",
  "RO",
  "BACK-FILE",
  "DIO",
  "LOG-SEC",
];

/** What is shown where a device among them is more than a plain loop device: all there is to know. */
const OWN_DEFAULT: readonly ColumnName[] = [
  ...LOSETUP_DEFAULT.flatMap((name): ColumnName[] =>
    name === "BACK-FILE" ? [name, "FILE-FORMAT"] : [name]
  ),
  "SIZE",
  "PID",
  "TRANSPORT",
  "REVIVED",
];

/** The same for people: what fits a terminal of 80 columns. */
const NARROW_DEFAULT: readonly ColumnName[] = [
  "NAME",
  "SIZELIMIT",
  "OFFSET",
  "RO",
  "BACK-FILE",
  "FILE-FORMAT",
  "SIZE",
  "REVIVED",
];

/** Columns that are only shown by default where they say something of a device. */
const ONLY_IF_SET: ReadonlySet<ColumnName> = new Set(["SIZELIMIT", "OFFSET", "REVIVED"]);

/** What `-O` and `--output-all` ask for. */
export interface ColumnChoice {
  /** What {@link added} comes behind. */
  readonly base: "default" | "all" | "none";
  readonly added: readonly ColumnName[];
}

/** What the defaults depend on. */
export interface ListedDevices {
  /** Whether losetup could have made them all. */
  readonly havePlainLoopsOnly: boolean;
  /** Whether they are listed for people, not for programs. */
  readonly asTable: boolean;
  /** Whether one of them has a value that is not 0. */
  have(column: ColumnName): boolean;
}

/**
 * The columns to show. The defaults are losetup's where it could have made all devices: what reads its
 * output shall find it unchanged.
 */
export function chosenColumns(
  { base, added }: ColumnChoice,
  devices: ListedDevices,
): KnownColumn[] {
  switch (base) {
    case "none":
      return added.map(columnOf);
    case "all":
      return [...LIST_COLUMNS, ...added.map(columnOf)];
    case "default": {
      const names = defaultNames(devices);
      const kept = names.filter((name) => !OWN_COLUMNS.has(name) || !added.includes(name));
      return [...kept, ...added].map(columnOf);
    }
  }
}

function defaultNames(devices: ListedDevices): readonly ColumnName[] {
  if (devices.havePlainLoopsOnly) return LOSETUP_DEFAULT;
  if (!devices.asTable) return OWN_DEFAULT;
  return NARROW_DEFAULT.filter((name) => !ONLY_IF_SET.has(name) || devices.have(name));
}
