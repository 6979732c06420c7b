/**
 * Options that end the reading of a command line.
 *
 * @module
 */
import type { OptionRow } from "./option_row.ts";

export const GENERAL_OPTIONS = [
  {
    long: ["help"],
    short: "h",
    argument: "none",
    label: "",
    help: "display this help",
    onlyNamed: true,
  },
  {
    long: ["man"],
    short: "",
    argument: "none",
    label: "",
    help: "print the man page, for man -l -",
    extension: true,
    onlyNamed: true,
  },
  {
    long: ["version"],
    short: "V",
    argument: "none",
    label: "",
    help: "display version",
    onlyNamed: true,
  },
] as const satisfies readonly OptionRow[];
