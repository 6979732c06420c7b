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
import { completionCommand, FIRST_NBD_DEVICE, isDeviceOption } from "./shells.ts";

/** The whole file `_tslosetup`, for a folder of the function path. */
export function zshCompletion(): string {
  const onDevices = DOCUMENTED_OPTIONS.filter(isDeviceOption).flatMap(spellings).join("|");
  const columns = COLUMN_WORDS.map(({ word, help }) =>
    quoted(`${word.replaceAll(":", "\\:")}[${bracketed(help)}]`)
  );
  return `#compdef tslosetup
# Made by tslosetup from its option table.

# Offers lines, of which what comes behind a tab explains the rest.
_tslosetup_offer() {
	local tag=$1 line
	local -a words shown
	shift
	for line in "$@"; do
		words+=("\${line%%$'\\t'*}")
		shown+=("\${line/$'\\t'/  -- }")
	done
	_wanted $tag expl $tag compadd -M 'l:|=*' -l -d shown -a words
}

# Devices and sockets; where none fits, the word may be an image whose devices are meant.
_tslosetup_devices() {
	_tslosetup_offer devices \${(f)"$(${completionCommand("devices")})"} || _files
}

# Snapshots of the image that is among the words.
_tslosetup_snapshots() {
	local word
	for word in "\${(@Q)words[2,-1]}"; do
		word=\${word/#'~/'/$HOME/}
		[[ -f $word || -b $word ]] || continue
		_tslosetup_offer snapshots \${(f)"$(${completionCommand("snapshots", '"$word"')})"} && return
	done
}

# Formats are taken in any case of letters.
_tslosetup_formats() {
	local -a formats=(
		${describedWords(FORMAT_WORDS).join("\n\t\t")}
	)
	_describe -t formats format formats -M 'm:{a-z}={A-Z}'
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
	[[ $words[CURRENT-1] != (-f|-[^-]*f|--find) ]] || _tslosetup_formats
	# the first nbd device also where the driver is not loaded yet
	[[ $PREFIX != (/dev/n|nb)* || -e ${FIRST_NBD_DEVICE} ]] || compadd -M 'l:|=*' ${FIRST_NBD_DEVICE}
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
    case "format":
      return "_tslosetup_formats";
    case "snapshot":
      return "_tslosetup_snapshots";
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
