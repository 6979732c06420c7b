/**
 * Completion for fish.
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
  type Word,
} from "./arguments.ts";
import { completionCommand, FIRST_NBD_DEVICE, isDeviceOption } from "./shells.ts";

/** The whole file `tslosetup.fish`. */
export function fishCompletion(): string {
  return `# fish completion for tslosetup(8), made by tslosetup from its option table

# Devices and sockets; where none fits, the word may be an image whose devices are meant.
function __tslosetup_devices
    set -l listed (${completionCommand("devices")})
    set -l word (commandline -ct | string escape --style=regex)
    if string match -qr -- "^[^\\t]*$word" $listed
        printf '%s\\n' $listed
    else
        __fish_complete_path (commandline -ct)
    end
end

# Snapshots of the image that is among the words.
function __tslosetup_snapshots
    for word in (commandline -po)[2..]
        if test -f "$word"; or test -b "$word"
            ${completionCommand("snapshots", "$word")}
        end
    end
end

# A list with commas, of which the last word is completed; a + may come first.
function __tslosetup_columns
    set -l before (commandline -ct | string replace -r -- '^(--output=|-O)' '' | string replace -r -- '[^,+]*$' '')
    printf "$before%s\\n" ${described(COLUMN_WORDS).join(" ")}
end

${DOCUMENTED_OPTIONS.flatMap(completeLines).join("\n")}
complete -c tslosetup -n '__fish_prev_arg_in -f --find' -a ${wordArgument(FORMAT_WORDS)}
# the first nbd device also where the driver is not loaded yet
complete -c tslosetup -n 'string match -qr -- "^(/dev/n|nb)" (commandline -ct); and not test -e ${FIRST_NBD_DEVICE}' -a ${FIRST_NBD_DEVICE}
`;
}

function completeLines(option: OptionRow): string[] {
  const { long, help } = option;
  const letter = option.short === "" ? "" : ` -s ${option.short}`;
  return long.flatMap((name, index) => {
    const names = (index === 0 ? letter : "") + ` -l ${name}`;
    const line = `complete -c tslosetup${names}${argumentOptions(option)} -d ${quoted(help)}`;
    return isDeviceOption(option) ? [line, operandLine(names)] : [line];
  });
}

/** Behind the option, operands are devices, or images whose devices are meant. */
function operandLine(names: string): string {
  const used = `__fish_contains_opt${names.replace(" -l", "")}`;
  return `complete -c tslosetup -n ${quoted(used)} -x -a '(__tslosetup_devices)'`;
}

function argumentOptions(option: OptionRow): string {
  if (option.argument === "none" || isDeviceOption(option)) return "";
  const offered = action(argumentOf(option));
  // without -r, fish takes the argument of a long option behind a = only
  return option.argument === "optional" ? offered.replace(" -x", " -f") : offered;
}

function action(argument: Argument): string {
  switch (argument.kind) {
    case "file":
      return " -r -F";
    case "folder":
      return " -x -a '(__fish_complete_directories)'";
    case "columns":
      return " -x -a '(__tslosetup_columns)'";
    case "format":
      return ` -x -a ${wordArgument(FORMAT_WORDS)}`;
    case "snapshot":
      return " -x -a '(__tslosetup_snapshots)'";
    case "words":
      return ` -x -a ${wordArgument(argument.words)}`;
    case "device":
    case "nothing":
      return " -x";
  }
}

/** Words with their descriptions, as one argument. */
function wordArgument(words: readonly Word[]): string {
  const lines = words.map(({ word, help }) => help === "" ? word : `${word}\\t${quoted(help)}`);
  return `"${lines.join(" ")}"`;
}

function described(words: readonly Word[]): string[] {
  return words.map(({ word, help }) => `${word}\\t${quoted(help)}`);
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
