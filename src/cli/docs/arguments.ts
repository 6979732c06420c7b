/**
 * What the arguments of options can be: for completions.
 *
 * @module
 */
import { AUTO_FORMAT, AUTO_SUMMARY } from "../../image/formats.ts";
import { TRANSPORTS } from "../../device/transports.ts";
import { FORMATS } from "../../image/formats.ts";
import { LIST_COLUMNS } from "../listing/columns.ts";
import { type OptionRow, OPTIONS } from "../words/option_table.ts";

/** A word that can be completed, and what it means. */
export interface Word {
  readonly word: string;
  readonly help: string;
}

/** What can be offered for an argument; nothing for numbers and names that only the user knows. */
export type Argument =
  | { readonly kind: "nothing" | "file" | "folder" | "device" | "columns" | "snapshot" | "format" }
  | { readonly kind: "words"; readonly words: readonly Word[] };

/** An option of the table, seen as what it is declared as. */
export const DOCUMENTED_OPTIONS: readonly OptionRow[] = OPTIONS;

/** What `-t` takes. */
export const FORMAT_WORDS: readonly Word[] = [
  ...FORMATS.flatMap(({ name, aliases, summary }) =>
    [name, ...aliases].map((word) => ({ word, help: summary }))
  ),
  { word: AUTO_FORMAT, help: AUTO_SUMMARY },
];

/** What `-O` takes, with commas between. */
export const COLUMN_WORDS: readonly Word[] = LIST_COLUMNS.map(({ heading, help }) => ({
  word: heading,
  help,
}));

/** What `-b` takes of every kernel. */
const SECTOR_SIZES: readonly Word[] = [
  { word: "auto", help: "as the partition table has it" },
  ...["512", "1024", "2048", "4096"].map(plainWord),
];

/** Those that name a snapshot that there is. */
const SNAPSHOT_OPTIONS: readonly string[] = ["snapshot", "snapshot-apply", "snapshot-delete"];

/** By what `--help` calls an argument. */
const BY_LABEL: Readonly<Record<string, Argument>> = {
  "<file>": { kind: "file" },
  "<path>": { kind: "file" },
  "<dir>": { kind: "folder" },
  "<device>": { kind: "device" },
  "<device>...": { kind: "device" },
  "<cols>": { kind: "columns" },
  "<format>": { kind: "format" },
};

/** What to offer as the argument of `option`; a list of words its label has, else what it stands for. */
export function argumentOf({ label, long }: OptionRow): Argument {
  if (long[0] === "transport") return { kind: "words", words: TRANSPORTS.map(plainWord) };
  if (long[0] === "sector-size") return { kind: "words", words: SECTOR_SIZES };
  // Besides a word, which nobody needs help with.
  if (long[0] === "overlay") return { kind: "file" };
  if (SNAPSHOT_OPTIONS.includes(long[0] ?? "")) return { kind: "snapshot" };
  const bare = label.replace(/^[ =[]+|\]$/g, "");
  if (/^<\w+(\|\w+)+>$/.test(bare)) {
    return { kind: "words", words: bare.slice(1, -1).split("|").map(plainWord) };
  }
  return BY_LABEL[bare] ?? { kind: "nothing" };
}

/** All spellings, as they are typed: `-t`, `--file-fmt-type`, `--type`. */
export function spellings({ short, long }: OptionRow): string[] {
  const names = long.map((name) => `--${name}`);
  return short === "" ? names : [`-${short}`, ...names];
}

function plainWord(word: string): Word {
  return { word, help: "" };
}
