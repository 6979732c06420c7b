/**
 * Options that say what to do; without any, an image is attached.
 *
 * @module
 */
import type { OptionRow } from "./option_row.ts";

export const ACTION_OPTIONS = [
  {
    long: ["all"],
    short: "a",
    argument: "none",
    label: "",
    help: "list all used devices",
    onlyNamed: true,
  },
  {
    long: ["set-capacity"],
    short: "c",
    argument: "optional",
    label: " <device>",
    help: "resize the device",
    onlyNamed: true,
  },
  {
    long: ["detach"],
    short: "d",
    argument: "optional",
    label: " <device>...",
    help: "detach one or more devices",
  },
  {
    long: ["detach-all"],
    short: "D",
    argument: "none",
    label: "",
    help: "detach all used devices",
  },
  {
    long: ["find"],
    short: "f",
    argument: "none",
    label: "",
    help: "find first unused device",
  },
  {
    long: ["associated"],
    short: "j",
    argument: "required",
    label: " <file>",
    help: "list all devices associated with <file>",
  },
  {
    long: ["nooverlap"],
    short: "L",
    argument: "none",
    label: "",
    help: "avoid possible conflict between devices",
    onlyNamed: true,
  },
  {
    long: ["resize"],
    short: "",
    argument: "required",
    label: " <size>",
    help: "make the disk of an image larger",
    onlyNamed: true,
    extension: true,
  },
  {
    long: ["snapshot-create"],
    short: "",
    argument: "required",
    label: " <name>",
    help: "make an internal snapshot of the disk",
    onlyNamed: true,
    extension: true,
  },
  {
    long: ["snapshot-apply"],
    short: "",
    argument: "required",
    label: " <name>",
    help: "make the disk what it was, by id or name of the snapshot",
    onlyNamed: true,
    extension: true,
  },
  {
    long: ["snapshot-delete"],
    short: "",
    argument: "required",
    label: " <name>",
    help: "delete the internal snapshot with this name or id",
    onlyNamed: true,
    extension: true,
  },
  {
    long: ["tab"],
    short: "",
    argument: "optional",
    label: "[=<name>]",
    help: "attach, or with -d detach, what /etc/tslosetuptab says",
    onlyNamed: true,
    extension: true,
  },
  {
    long: ["remove"],
    short: "",
    argument: "none",
    label: " <device>...",
    help: "remove one or more devices",
    onlyNamed: true,
  },
] as const satisfies readonly OptionRow[];
