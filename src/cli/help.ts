/**
 * `--help` and `--version`, laid out as in util-linux.
 *
 * @module
 */
import { LIST_COLUMNS, type ListColumn } from "./listing/columns.ts";
import { type OptionRow, OPTIONS } from "./words/option_table.ts";
import { AUTO_FORMAT } from "../image/formats.ts";

/** What the help says of a file format; a format driver is one. */
export interface FormatSummary {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
}

const USAGE = `
Usage:
 tslosetup [options] [<device>]
 tslosetup [options] -f | <device> <file>
 tslosetup [options] -f <format> [<device>] <file>
 tslosetup [options] --socket <path> <file>
 tslosetup [options] --info | --map <file>

Set up and control loop devices for disk images of any format.
`;

/** Display columns for the options before their descriptions begin. */
const OPTION_WIDTH = 30;
/** Display columns up to the end of a right-aligned term, as in losetup's list of columns. */
const TERM_WIDTH = 13;

/** The whole text of `--help`. */
export function helpText(formats: readonly FormatSummary[]): string {
  return [
    USAGE,
    `Options:\n${optionLines(OPTIONS)}`,
    `Known file formats:\n${formatLines(formats)}`,
    `Available output columns:\n${columnLines(LIST_COLUMNS)}`,
    "For more details see tslosetup(8).\n",
  ].join("\n");
}

/** The one line of `--version`. */
export function versionText(version: string): string {
  return `tslosetup ${version}\n`;
}

/** One line for each option, with an empty line between groups. */
function optionLines(options: readonly OptionRow[]): string {
  return options.map((option, index) => {
    const previous = options[index - 1];
    const startsGroup = previous !== undefined && previous.group !== option.group;
    return (startsGroup ? "\n" : "") + optionLine(option);
  }).join("");
}

function optionLine({ short, long, label, help }: OptionRow): string {
  const [name, ...otherNames] = long;
  const letter = short === "" ? "    " : `-${short}, `;
  const also = otherNames.map((other) => ` (also --${other})`).join("");
  const term = `${letter}--${name}${label}`;
  // what is too long gets a line of its own
  const space = term.length < OPTION_WIDTH ? "" : `\n${" ".repeat(OPTION_WIDTH)}`;
  return ` ${term.padEnd(OPTION_WIDTH - 1)}${space} ${help}${also}\n`;
}

function formatLines(formats: readonly FormatSummary[]): string {
  const lines = formats.map(({ name, aliases, summary }) =>
    termLine([name, ...aliases].join(", "), summary)
  );
  const auto = termLine(AUTO_FORMAT, "the one whose mark <file> begins with, else RAW");
  return lines.join("") + auto;
}

function columnLines(columns: readonly ListColumn[]): string {
  return columns.map(({ heading, help }) => termLine(heading, help)).join("");
}

function termLine(term: string, help: string): string {
  return `${term.padStart(TERM_WIDTH)}  ${help}\n`;
}
