/**
 * What a command line asks to be listed, and how.
 *
 * @module
 */
import type { ColumnOptions } from "../listing/column_list.ts";
import type { Settings } from "./settings.ts";

export interface ListCommand {
  readonly kind: "list";
  /** `lines` are losetup's old ones: with `-a` or `-j`, unless `-l` or a choice of columns is there. */
  readonly form: "table" | "json" | "raw" | "lines";
  /** Whether a table begins with its headings. */
  readonly headings: boolean;
  /** The columns asked for, which may not exist. */
  readonly columns: ColumnOptions;
  /** Only this device. */
  readonly device: string | undefined;
  /** Only devices of this image (`-j`). */
  readonly file: string | undefined;
  /** Only devices that begin at this offset (`-j` with `-o`). */
  readonly offsetBytes: number | undefined;
  /** And only those that end where their image does (`-j` with `-o` and `--sizelimit 0`). */
  readonly unlimited: boolean;
}

/** `-l`, or what implies it. (That `--output-all` does is new in losetup 2.42.) */
export function wantsTable({ seen }: Settings): boolean {
  return seen.has("list") || seen.has("output") || seen.has("output-all");
}

/**
 * Whether all devices are to be listed although no option says so: without any argument, and, as in
 * losetup, with `--json` or `--raw` as the only one.
 */
export function isBareListing(args: readonly string[], { seen }: Settings): boolean {
  return args.length === 0 || (args.length === 1 && (seen.has("json") || seen.has("raw")));
}

/** The devices of `-j`, or `device`, or all. */
export function listCommand(settings: Settings, device?: string): ListCommand {
  const { seen, columnList, associatedFile, offsetBytes } = settings;
  return {
    kind: "list",
    form: formOf(settings),
    headings: !seen.has("noheadings"),
    columns: { list: columnList, all: seen.has("output-all") },
    device,
    file: associatedFile,
    offsetBytes: seen.has("offset") ? offsetBytes : undefined,
    // losetup looks at it together with the offset only, and takes no other limit here.
    unlimited: seen.has("offset") && seen.has("sizelimit"),
  };
}

function formOf(settings: Settings): ListCommand["form"] {
  const { seen } = settings;
  if ((seen.has("all") || seen.has("associated")) && !wantsTable(settings)) return "lines";
  if (seen.has("json")) return "json";
  return seen.has("raw") ? "raw" : "table";
}
