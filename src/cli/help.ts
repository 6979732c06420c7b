/**
 * `--help` and `--version`, in the words of util-linux. The help fits a screen: what there is no room
 * for is named, and explained in the man page.
 *
 * @module
 */
import { LIST_COLUMNS } from "./listing/columns.ts";
import { type OptionRow, OPTIONS } from "./words/option_table.ts";
import { AUTO_FORMAT } from "../image/formats.ts";

/** What the help says of a file format; a format driver is one. */
export interface FormatSummary {
  readonly name: string;
  readonly writable: boolean;
}

const USAGE = `Usage:
 tslosetup [options] [<device>]
 tslosetup [options] -f | <device> <file>
 tslosetup [options] -f <format> [<device>] <file>
 tslosetup [options] --socket <path> | --info | --map | --check <file>

Set up and control loop devices for disk images of any format.
`;

/** Display columns for the options before their descriptions begin. */
const OPTION_WIDTH = 30;
const SCREEN_WIDTH = 80;

/** The whole text of `--help`. */
export function helpText(formats: readonly FormatSummary[]): string {
  const rows: readonly OptionRow[] = OPTIONS;
  const options = rows.filter(({ onlyNamed }) => !onlyNamed).map(optionLine).join("");
  const readOnly = formatNames(formats, { writable: false });
  const paragraphs = [
    listed("Also: ", rows.filter(isInList).map(shortest)),
    listed("Formats: ", [AUTO_FORMAT, ...formatNames(formats, { writable: true })]),
    ...(readOnly.length > 0 ? [listed("  read-only: ", readOnly)] : []),
    listed("Columns: ", LIST_COLUMNS.map(({ heading }) => heading)),
  ];
  return [
    USAGE,
    `Options:\n${options}${
      paragraphs.join("")
    }For more details see tslosetup(8), which --man prints.\n`,
  ].join("\n");
}

/** `--man` is named where the man page is. */
function isInList({ onlyNamed, long: [name] }: OptionRow): boolean {
  return onlyNamed === true && name !== "man";
}

/** The one line of `--version`. */
export function versionText(version: string): string {
  return `tslosetup ${version}\n`;
}

function optionLine({ short, long, label, help }: OptionRow): string {
  const [name, ...otherNames] = long;
  const letter = short === "" ? "    " : `-${short}, `;
  const also = otherNames.map((other) => ` (also --${other})`).join("");
  const term = `${letter}--${name}${label}`;
  return ` ${term.padEnd(OPTION_WIDTH - 1)} ${help}${also}\n`;
}

/** With both of its names, so that scripts find what they look for. */
function shortest({ short, long: [name] }: OptionRow): string {
  return short === "" ? `--${name}` : `-${short} --${name}`;
}

/** For aliases there is no room. */
function formatNames(
  formats: readonly FormatSummary[],
  wanted: { readonly writable: boolean },
): string[] {
  return formats.filter(({ writable }) => writable === wanted.writable)
    .map(({ name }) => name);
}

/** Words behind a label, in lines that fit the screen; all but the first are indented. */
function listed(label: string, words: readonly string[]): string {
  const lines = words.reduce((before, word, index) => {
    if (index === 0) return before + word;
    const length = before.length - before.lastIndexOf("\n") + ", ,".length + word.length;
    return `${before},${length <= SCREEN_WIDTH ? " " : "\n  "}${word}`;
  }, label);
  return `${lines}\n`;
}
