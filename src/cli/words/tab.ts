/**
 * Lines of /etc/tslosetuptab, a table as crypttab(5):
 *
 *     NAME IMAGE [DEVICE|- [OPTIONS]]
 *
 * @module
 */
import type { AttachCommand } from "../../device/attach_command.ts";
import { unescaped } from "../../kernel/proc_tables.ts";
import { parseCommand } from "./command.ts";
import {
  formatWords,
  LISTED_SETTINGS,
  type ListedOption,
  listedOptions,
  ownWord,
} from "./option_list.ts";
import type { OptionName } from "./option_table.ts";
import { UsageError } from "./usage_error.ts";
import type { FormatNames } from "./values.ts";

export const TAB_PATH = "/etc/tslosetuptab";

export interface TabLine {
  /** Where it is in the table, from 1 on; 0 for what is in none. */
  readonly number: number;
  readonly name: string;
  /** Absolute path. */
  readonly image: string;
  /** Undefined: any that is free. */
  readonly device: string | undefined;
  readonly options: readonly ListedOption[];
}

/** What else than for mount(8) can be said here, where no file system has options of the same names. */
const MORE_SETTINGS = [
  "partscan",
  "read-only",
  "discard",
  "force",
  "threads",
] as const satisfies readonly OptionName[];
const SETTINGS: readonly string[] = [...LISTED_SETTINGS, ...MORE_SETTINGS];

/** What says when a line counts, and what others make of it. */
const ABOUT_LINES = /^(?:auto|noauto|nofail|_netdev|defaults|rw|x-.*)$/;

/** A line that is none. */
export interface TabFault {
  readonly name: string;
  /** What is wrong, and with which line. */
  readonly message: string;
}

export interface Table {
  readonly lines: readonly TabLine[];
  readonly faults: readonly TabFault[];
}

const FORM = "not NAME /IMAGE [DEVICE [OPTIONS]]";

/**
 * What a table says; `\040` stands for a space, as in fstab(5). A line that says nothing is in no other's way.
 * `tslosetup-generator` takes the same lines.
 */
export function parseTab(text: string): Table {
  const lines: TabLine[] = [];
  const faults: TabFault[] = [];
  text.split("\n").map((line) => line.replace(/\r$/, "")).forEach((line, index) => {
    const fields = line.split(/[ \t]+/).filter((field) => field !== "");
    if (fields.length === 0 || fields[0]?.startsWith("#")) return;
    const number = index + 1;
    const [name = "", image = "", device = "-", options = "", ...excess] = fields.map(unescaped);
    const fault = faultIn({ name, image, device, options, excess }, lines);
    if (fault !== undefined) {
      faults.push({ name, message: `${placeOf(number)}${fault}: ${line.trim()}` });
      return;
    }
    lines.push({
      number,
      name,
      image,
      device: device === "-" || device === "none" ? undefined : device,
      options: listedOptions(options),
    });
  });
  return { lines, faults };
}

interface Fields {
  readonly name: string;
  readonly image: string;
  readonly device: string;
  readonly options: string;
  readonly excess: readonly string[];
}

/** What is wrong with a line, of which `before` are the good ones above. */
function faultIn(fields: Fields, before: readonly TabLine[]): string | undefined {
  const { name, image, device, options, excess } = fields;
  // deno-lint-ignore no-control-regex -- it is these that are no part of a unit's setting
  if (/[\0-\x1f\x7f]/.test([name, image, device, options].join(" "))) return "control character";
  if (!image.startsWith("/") || excess.length > 0) return FORM;
  if ([image, device].some((path) => path.split("/").includes(".."))) return ".. in a path";
  return before.some((line) => line.name === name) ? "has a line already" : undefined;
}

/** What an error about a line begins with. */
function placeOf(number: number): string {
  return number === 0 ? "" : `${TAB_PATH}:${number}: `;
}

export function has({ options }: TabLine, name: "noauto" | "nofail"): boolean {
  return options.some((option) => option.name === name);
}

/**
 * What attaches the image of a line.
 *
 * @throws {UsageError} if its options make no sense
 */
export function attachOfLine(line: TabLine, formats: FormatNames): AttachCommand {
  try {
    return parseLine(line, formats);
  } catch (error) {
    throw error instanceof UsageError
      ? new UsageError(`${placeOf(line.number)}${line.name}: ${error.message}`)
      : error;
  }
}

function parseLine(line: TabLine, formats: FormatNames): AttachCommand {
  const { name, image, device, options } = line;
  const words = options.filter((option) => !ABOUT_LINES.test(option.name)).map(wordFor);
  const operands = device === undefined ? ["--find", "--", image] : ["--", device, image];
  const all = [...words, ...formatWords(options, image, formats), ...operands];
  const command = parseCommand(all, formats);
  if (command.kind !== "attach") throw new UsageError("no image");
  return { ...command, tabName: name, loopReference: labelOf(line) };
}

function wordFor(option: ListedOption): string {
  if (option.name === "ro") return "--read-only";
  const word = ownWord(option, SETTINGS);
  if (word === undefined) throw new UsageError(`unknown option '${option.name}'`);
  return word;
}

/** By which the loop device of a RAW image, that has no state, is known. */
export function labelOf({ name }: TabLine): string {
  return `tslosetuptab:${name}`;
}
