/**
 * What a row of the option table says.
 *
 * @module
 */
import type { OptionSpec } from "../getopt.ts";

export interface OptionRow extends OptionSpec {
  /** What `--help` shows for the argument, with its separator; empty if there is none. */
  readonly label: string;
  readonly help: string;
  /** Whether `--help` only names it: on one screen there is no room for all. */
  readonly onlyNamed?: true;
}
