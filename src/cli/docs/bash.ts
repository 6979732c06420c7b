/**
 * Completion for bash. It needs no library of completion functions: an initramfs has none.
 *
 * @module
 */
import type { OptionRow } from "../words/option_table.ts";
import {
  type Argument,
  argumentOf,
  COLUMN_WORDS,
  DOCUMENTED_OPTIONS,
  FORMAT_WORDS,
  spellings,
  type Word,
} from "./arguments.ts";
import { DEVICE_LISTING, isDeviceOption } from "./shells.ts";

/** The whole script, to be sourced. */
export function bashCompletion(): string {
  const all = DOCUMENTED_OPTIONS.flatMap(spellings).join("\\n");
  const arms = DOCUMENTED_OPTIONS.map(argumentArm).filter((arm) => arm !== "").join("\n");
  const onDevices = DOCUMENTED_OPTIONS.filter(isDeviceOption).map(asPrevious).join("|");
  return `# bash completion for tslosetup(8), made by tslosetup from its option table

_tslosetup_files()
{
	compopt -o filenames 2>/dev/null
	COMPREPLY+=($(compgen "$@" -- "$cur"))
}

# A list with commas, of which the last word is completed; a + may come first.
_tslosetup_columns()
{
	local before=
	case $cur in
	*,*) before=\${cur%,*}, ;;
	+*) before=+ ;;
	esac
	compopt -o nospace 2>/dev/null
	COMPREPLY=($(compgen -P "$before" -W ${wordList(COLUMN_WORDS)} -- "\${cur#"$before"}"))
}

_tslosetup()
{
	local IFS=$'\\n' word
	local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
	COMPREPLY=()
	# --option=argument comes as three words
	if [[ $cur == = ]]; then
		cur= prev+==
	elif [[ $prev == = ]]; then
		prev=\${COMP_WORDS[COMP_CWORD-2]}=
	fi
	case $prev in
${arms}
	-f|-[!-]*f|--find) COMPREPLY=($(compgen -W ${wordList(FORMAT_WORDS)} -- "$cur")) ;;
	esac
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W $'${all}' -- "$cur"))
		return
	fi
	for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		${onDevices})
			COMPREPLY=($(compgen -W "$(${DEVICE_LISTING})" -- "$cur"))
			return ;;
		esac
	done
	_tslosetup_files -f
}

complete -F _tslosetup tslosetup
`;
}

/** What is offered behind an option that has an argument. */
function argumentArm(option: OptionRow): string {
  if (option.argument === "none" || isDeviceOption(option)) return "";
  return `\t${asPrevious(option)}) ${action(argumentOf(option))}return ;;`;
}

function action(argument: Argument): string {
  switch (argument.kind) {
    case "file":
      return "_tslosetup_files -f; ";
    case "folder":
      return "_tslosetup_files -d; ";
    case "columns":
      return "_tslosetup_columns; ";
    case "words":
      return `COMPREPLY=($(compgen -W ${wordList(argument.words)} -- "$cur")); `;
    case "device":
    case "nothing":
      return "";
  }
}

/** Patterns of words behind which the option's argument comes, also at the end of a cluster. */
function asPrevious(option: OptionRow): string {
  const { argument, short, long } = option;
  const attached = long.map((name) => `--${name}=`);
  if (argument === "optional" && !isDeviceOption(option)) return attached.join("|");
  const cluster = short === "" ? [] : [`-${short}`, `-[!-]*${short}`];
  return [...cluster, ...long.map((name) => `--${name}`), ...attached].join("|");
}

function wordList(words: readonly Word[]): string {
  return `$'${words.map(({ word }) => word).join("\\n")}'`;
}
