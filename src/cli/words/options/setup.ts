/**
 * Options about the device that is set up: losetup's.
 *
 * @module
 */
import type { OptionRow } from "./option_row.ts";

export const SETUP_OPTIONS = [
  {
    long: ["offset"],
    short: "o",
    argument: "required",
    label: " <num>",
    help: "start at offset <num> into the disk",
  },
  {
    long: ["sizelimit"],
    short: "",
    argument: "required",
    label: " <num>",
    help: "device is limited to <num> bytes of the disk",
  },
  {
    long: ["sector-size"],
    short: "b",
    argument: "required",
    label: " <num>",
    help: "set the logical sector size to <num>, or auto",
    onlyNamed: true,
  },
  {
    long: ["partscan"],
    short: "P",
    argument: "none",
    label: "",
    help: "create a partitioned device",
  },
  {
    long: ["read-only"],
    short: "r",
    argument: "none",
    label: "",
    help: "set up a read-only device",
  },
  {
    long: ["direct-io"],
    short: "",
    argument: "optional",
    label: "[=<on|off>]",
    help: "open backing file with O_DIRECT",
    onlyNamed: true,
  },
  {
    long: ["loop-ref"],
    short: "",
    argument: "required",
    label: " <string>",
    help: "loop device reference",
    onlyNamed: true,
  },
  {
    long: ["show"],
    short: "",
    argument: "none",
    label: "",
    help: "print device name after setup (with -f)",
  },
] as const satisfies readonly OptionRow[];
