/**
 * Options about what is printed, and how.
 *
 * @module
 */
import type { OptionRow } from "./option_row.ts";

export const OUTPUT_OPTIONS = [
  {
    long: ["verbose"],
    short: "v",
    argument: "none",
    label: "",
    help: "say how the device is made",
    onlyNamed: true,
  },
  {
    long: ["json"],
    short: "J",
    argument: "none",
    label: "",
    help: "use JSON --list output format",
  },
  {
    long: ["list"],
    short: "l",
    argument: "none",
    label: "",
    help: "list info about all or specified (default)",
  },
  {
    long: ["noheadings"],
    short: "n",
    argument: "none",
    label: "",
    help: "don't print headings for --list output",
    onlyNamed: true,
  },
  {
    long: ["output"],
    short: "O",
    argument: "required",
    label: " <cols>",
    help: "specify columns to output for --list",
  },
  {
    long: ["output-all"],
    short: "",
    argument: "none",
    label: "",
    help: "output all columns",
    onlyNamed: true,
  },
  {
    long: ["raw"],
    short: "",
    argument: "none",
    label: "",
    help: "use raw --list output format",
    onlyNamed: true,
  },
] as const satisfies readonly OptionRow[];
