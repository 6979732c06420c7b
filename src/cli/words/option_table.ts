/**
 * Every option there is, once: the parser, the exclusivity table and `--help` all read this.
 *
 * losetup's own options keep its names, letters and words (losetup 2.38.1, `losetup --help`), in the
 * order of its help. `-c` and `-d` differ: there their argument is required, in losetup 2.42 they
 * have none and the devices are operands. With an optional argument both grammars are understood.
 *
 * @module
 */
import { ACTION_OPTIONS } from "./options/action.ts";
import { FORMAT_OPTIONS } from "./options/format.ts";
import { GENERAL_OPTIONS } from "./options/general.ts";
import type { OptionRow } from "./options/option_row.ts";
import { OUTPUT_OPTIONS } from "./options/output.ts";
import { SETUP_OPTIONS } from "./options/setup.ts";

export type { OptionRow };

/** Paragraphs of the man page, in its order. */
export const OPTION_GROUPS = {
  action: ACTION_OPTIONS,
  setup: SETUP_OPTIONS,
  format: FORMAT_OPTIONS,
  output: OUTPUT_OPTIONS,
  general: GENERAL_OPTIONS,
} as const satisfies Readonly<Record<string, readonly OptionRow[]>>;

export type OptionGroup = keyof typeof OPTION_GROUPS;

export const OPTIONS = [
  ...OPTION_GROUPS.action,
  ...OPTION_GROUPS.setup,
  ...OPTION_GROUPS.format,
  ...OPTION_GROUPS.output,
  ...OPTION_GROUPS.general,
] as const;

/** An option's own name: its first long one. */
export type OptionName = (typeof OPTIONS)[number]["long"][0];
