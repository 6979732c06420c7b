/**
 * Completion for zsh.
 *
 * @module
 */
import type { OptionRow } from "../words/option_table.ts";
import {
  argumentOf,
  COLUMN_WORDS,
  DOCUMENTED_OPTIONS,
  FORMAT_WORDS,
  spellings,
  type Word,
} from "./arguments.ts";
import { DEVICE_LISTING, isDeviceOption } from "./shells.ts";

/** The whole file `_tslosetup`, for a folder of the function path. */
export function zshCompletion(): string {
  const onDevices = DOCUMENTED_OPTIONS.filter(isDeviceOption).flatMap(spellings).join("|");
  const columns = COLUMN_WORDS.map(({ word, help }) =>
    quoted(`${word.replaceAll(":", "\\:")}[${bracketed(help)}]`)
  );
  return `#compdef tslosetup
# Made by tslosetup from its option table.

_tslosetup_devices() {
	local -a devices
	devices=(\${(f)"$(_call_program devices ${quoted(DEVICE_LISTING)})"})
	_wanted devices expl device compadd -a devices
}

_tslosetup_columns() {
	compset -P '+'
	_values -s , column \\
		${columns.join(" \\\n\t\t")}
}

_tslosetup_operands() {
	if (( \${words[(I)${onDevices}]} )); then
		_tslosetup_devices
		return
	fi
	if [[ $words[CURRENT-1] == (-f|-[^-]*f|--find) ]]; then
		local -a formats=(
			${describedWords(FORMAT_WORDS).join("\n\t\t\t")}
		)
		_describe -t formats format formats
	fi
	_files
}

_arguments -s -S \\
	${DOCUMENTED_OPTIONS.map(specification).join(" \\\n\t")} \\
	'*:operand:_tslosetup_operands'
`;
}

/** For `_arguments`: which options exclude it, its spellings, its help, its argument. */
function specification(option: OptionRow): string {
  const names = spellings(option);
  const isFlag = option.argument === "none" || isDeviceOption(option);
  const typed = isFlag ? names : names.map((name) => name + joint(option, name));
  const exclusions = names.length > 1 ? quoted(`(${names.join(" ")})`) : "";
  const spelled = typed.length > 1 ? `{${typed.join(",")}}` : typed.join("");
  return exclusions + spelled +
    quoted(`[${bracketed(option.help)}]${isFlag ? "" : argument(option)}`);
}

/** How an argument follows: `-tX` or `-t X`, `--type=X` or `--type X`, `--direct-io=X` only. */
function joint(option: OptionRow, name: string): string {
  if (!name.startsWith("--")) return "+";
  return option.argument === "optional" ? "=-" : "=";
}

function argument(option: OptionRow): string {
  const colon = option.argument === "optional" ? "::" : ":";
  return `${colon}${option.label.replace(/[^\w|]/g, "")}:${action(option)}`;
}

function action(option: OptionRow): string {
  const offered = argumentOf(option);
  switch (offered.kind) {
    case "file":
      return "_files";
    case "folder":
      return "_files -/";
    case "device":
      return "_tslosetup_devices";
    case "columns":
      return "_tslosetup_columns";
    case "words":
      return `(${offered.words.map(({ word }) => word).join(" ")})`;
    case "nothing":
      return " ";
  }
}

function describedWords(words: readonly Word[]): string[] {
  return words.map(({ word, help }) => quoted(`${word}:${help}`));
}

function bracketed(text: string): string {
  return text.replace(/[[\]]/g, "\\$&");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
