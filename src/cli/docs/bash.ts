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
import { completionCommand, FIRST_NBD_DEVICE, isDeviceOption } from "./shells.ts";

/** The whole script, to be sourced. */
export function bashCompletion(): string {
  const all = DOCUMENTED_OPTIONS.flatMap(spellings).join("\\n");
  const arms = DOCUMENTED_OPTIONS.map(argumentArm).filter((arm) => arm !== "").join("\n");
  const onDevices = DOCUMENTED_OPTIONS.filter(isDeviceOption).map(asPrevious).join("|");
  return `# bash completion for tslosetup(8), made by tslosetup from its option table

${helpers()}
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
	-f|-[!-]*f|--find) _tslosetup_formats ;;
	esac
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W $'${all}' -- "$cur"))
		return
	fi
	for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		${onDevices})
			_tslosetup_devices
			return ;;
		esac
	done
	_tslosetup_nodes
	_tslosetup_files -f
}

complete -F _tslosetup tslosetup
`;
}

/** Functions that offer words. What has blanks or the like in it is quoted, and nothing is evaluated. */
function helpers(): string {
  return `_tslosetup_files()
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

# Formats are taken in any case of letters: in small ones where the word begins so.
_tslosetup_formats()
{
	local words=${wordList(FORMAT_WORDS)}
	[[ $cur != [[:lower:]]* ]] || words=\${words,,}
	COMPREPLY+=($(compgen -W "$words" -- "$cur"))
}

# What a word as it was typed stands for, without running anything.
_tslosetup_plain()
{
	plain=\${1/#'~/'/"$HOME/"}
	plain=\${plain//\\\\/}
	plain=\${plain//\\'/}
	plain=\${plain//\\"/}
}

# Offers those of some lines that begin with the current word, up to their tabs.
_tslosetup_offer()
{
	local line plain
	_tslosetup_plain "$cur"
	while IFS= read -r line; do
		line=\${line%%$'\\t'*}
		[[ -n $line && $line == "$plain"* ]] || continue
		[[ $cur == \\'* || $cur == \\"* ]] || printf -v line %q "$line"
		COMPREPLY+=("$line")
	done <<<"$1"
}

# Devices and sockets; where none fits, the word may be an image whose devices are meant.
_tslosetup_devices()
{
	local listed
	listed=$(${completionCommand("devices")})
	_tslosetup_offer "$listed"
	[[ $cur == */* || -z $cur ]] || _tslosetup_offer "\${listed//'/dev/'/}"
	(( \${#COMPREPLY[@]} )) || _tslosetup_files -f
}

# Names in /dev, and the first nbd device also where the driver is not loaded yet.
_tslosetup_nodes()
{
	local nodes
	nodes=$(compgen -G '/dev/loop[0-9]*'; compgen -G '/dev/nbd[0-9]*' || echo ${FIRST_NBD_DEVICE})
	case $cur in
	nb*|lo*) _tslosetup_offer "\${nodes//'/dev/'/}" ;;
	/dev/n*) [[ -e ${FIRST_NBD_DEVICE} ]] || _tslosetup_offer ${FIRST_NBD_DEVICE} ;;
	esac
}

# Snapshots of the image that is among the words.
_tslosetup_snapshots()
{
	local word plain
	for word in "\${COMP_WORDS[@]:1}"; do
		_tslosetup_plain "$word"
		[[ -f $plain || -b $plain ]] || continue
		_tslosetup_offer "$(${completionCommand("snapshots", '"$plain"')})"
	done
}
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
    case "format":
      return "_tslosetup_formats; ";
    case "snapshot":
      return "_tslosetup_snapshots; ";
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
