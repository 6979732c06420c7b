/**
 * Every option there is, once: the parser, the exclusivity table and `--help` all read this.
 *
 * losetup's own options keep its names, letters and words (losetup 2.38.1, `losetup --help`), in the
 * order of its help. `-c` and `-d` differ: there their argument is required, in losetup 2.42 they
 * have none and the devices are operands. With an optional argument both grammars are understood.
 *
 * @module
 */
import type { OptionSpec } from "./getopt.ts";

/** Paragraphs of the help text, in its order. */
export type OptionGroup = "action" | "setup" | "format" | "output" | "general";

export interface OptionRow extends OptionSpec {
  readonly group: OptionGroup;
  /** What `--help` shows for the argument, with its separator; empty if there is none. */
  readonly label: string;
  readonly help: string;
}

export const OPTIONS = [
  {
    long: ["all"],
    short: "a",
    argument: "none",
    label: "",
    group: "action",
    help: "list all used devices",
  },
  {
    long: ["set-capacity"],
    short: "c",
    argument: "optional",
    label: " <device>",
    group: "action",
    help: "resize the device",
  },
  {
    long: ["detach"],
    short: "d",
    argument: "optional",
    label: " <device>...",
    group: "action",
    help: "detach one or more devices",
  },
  {
    long: ["detach-all"],
    short: "D",
    argument: "none",
    label: "",
    group: "action",
    help: "detach all used devices",
  },
  {
    long: ["find"],
    short: "f",
    argument: "none",
    label: "",
    group: "action",
    help: "find first unused device",
  },
  {
    long: ["associated"],
    short: "j",
    argument: "required",
    label: " <file>",
    group: "action",
    help: "list all devices associated with <file>",
  },
  {
    long: ["nooverlap"],
    short: "L",
    argument: "none",
    label: "",
    group: "action",
    help: "avoid possible conflict between devices",
  },
  {
    long: ["remove"],
    short: "",
    argument: "none",
    label: " <device>...",
    group: "action",
    help: "remove one or more devices",
  },
  {
    long: ["offset"],
    short: "o",
    argument: "required",
    label: " <num>",
    group: "setup",
    help: "start at offset <num> into the disk",
  },
  {
    long: ["sizelimit"],
    short: "",
    argument: "required",
    label: " <num>",
    group: "setup",
    help: "device is limited to <num> bytes of the disk",
  },
  {
    long: ["sector-size"],
    short: "b",
    argument: "required",
    label: " <num>",
    group: "setup",
    help: "set the logical sector size to <num>",
  },
  {
    long: ["partscan"],
    short: "P",
    argument: "none",
    label: "",
    group: "setup",
    help: "create a partitioned device",
  },
  {
    long: ["read-only"],
    short: "r",
    argument: "none",
    label: "",
    group: "setup",
    help: "set up a read-only device",
  },
  {
    long: ["direct-io"],
    short: "",
    argument: "optional",
    label: "[=<on|off>]",
    group: "setup",
    help: "open backing file with O_DIRECT",
  },
  {
    long: ["loop-ref"],
    short: "",
    argument: "required",
    label: " <string>",
    group: "setup",
    help: "loop device reference",
  },
  {
    long: ["show"],
    short: "",
    argument: "none",
    label: "",
    group: "setup",
    help: "print device name after setup (with -f)",
  },
  {
    // -t and --type are the spellings of xlosetup, where this comes from.
    long: ["file-fmt-type", "type"],
    short: "t",
    argument: "required",
    label: " <format>",
    group: "format",
    help: "format of <file>, default RAW",
    extension: true,
  },
  {
    long: ["backing-fmt"],
    short: "",
    argument: "required",
    label: " <format>",
    group: "format",
    help: "format of backing files that have none recorded",
    extension: true,
  },
  {
    long: ["no-backing"],
    short: "",
    argument: "none",
    label: "",
    group: "format",
    help: "show what is in <file> itself, else zeros",
    extension: true,
  },
  {
    long: ["allow-backing"],
    short: "",
    argument: "required",
    label: " <dir>",
    group: "format",
    help: "let <file> name files below <dir>, too",
    extension: true,
  },
  {
    long: ["snapshot"],
    short: "",
    argument: "required",
    label: " <name>",
    group: "format",
    help: "show the internal snapshot with this id or name",
    extension: true,
  },
  {
    long: ["force"],
    short: "",
    argument: "none",
    label: "",
    group: "format",
    help: "attach what is marked corrupt, detach any nbd",
    extension: true,
  },
  {
    long: ["transport"],
    short: "",
    argument: "required",
    label: " <name>",
    group: "format",
    help: "by way of auto, loop, nbd, fuse or socket",
    extension: true,
  },
  {
    long: ["socket"],
    short: "",
    argument: "required",
    label: " <path>",
    group: "format",
    help: "serve NBD on a Unix socket instead of a device",
    extension: true,
  },
  {
    long: ["threads"],
    short: "",
    argument: "required",
    label: " <num>",
    group: "format",
    help: "serve with <num> threads, 1 to 16",
    extension: true,
  },
  {
    long: ["verbose"],
    short: "v",
    argument: "none",
    label: "",
    group: "output",
    help: "say how the device is made",
  },
  {
    long: ["json"],
    short: "J",
    argument: "none",
    label: "",
    group: "output",
    help: "use JSON --list output format",
  },
  {
    long: ["list"],
    short: "l",
    argument: "none",
    label: "",
    group: "output",
    help: "list info about all or specified (default)",
  },
  {
    long: ["noheadings"],
    short: "n",
    argument: "none",
    label: "",
    group: "output",
    help: "don't print headings for --list output",
  },
  {
    long: ["output"],
    short: "O",
    argument: "required",
    label: " <cols>",
    group: "output",
    help: "specify columns to output for --list",
  },
  {
    long: ["output-all"],
    short: "",
    argument: "none",
    label: "",
    group: "output",
    help: "output all columns",
  },
  {
    long: ["raw"],
    short: "",
    argument: "none",
    label: "",
    group: "output",
    help: "use raw --list output format",
  },
  {
    long: ["help"],
    short: "h",
    argument: "none",
    label: "",
    group: "general",
    help: "display this help",
  },
  {
    long: ["version"],
    short: "V",
    argument: "none",
    label: "",
    group: "general",
    help: "display version",
  },
] as const satisfies readonly OptionRow[];

/** An option's own name: its first long one. */
export type OptionName = (typeof OPTIONS)[number]["long"][0];
