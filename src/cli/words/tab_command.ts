/**
 * `--tab`: attaching what a table says, and detaching that.
 *
 * @module
 */
import type { OptionName } from "./option_table.ts";
import type { Settings } from "./settings.ts";
import { UsageError } from "./usage_error.ts";

export interface TabCommand {
  readonly kind: "tab";
  readonly action: "attach" | "detach";
  /** Which line, or image; undefined for all lines that are not `noauto`. */
  readonly name: string | undefined;
  readonly verbose: boolean;
}

const COMPANIONS: readonly OptionName[] = ["tab", "detach", "verbose"];

/** @throws {UsageError} if something is asked for besides: all is said in the table */
export function tabCommand({ seen, operands, actionDevices, tab }: Settings): TabCommand {
  const others = [...seen].filter((name) => !COMPANIONS.includes(name));
  const words = [...actionDevices, ...operands.map(({ word }) => word)];
  if (others.length > 0 || words.length > 0) {
    const hint = tab === undefined && words.length === 1
      ? `; to name a line: --tab=${words[0]}`
      : "";
    throw new UsageError(`the option --tab goes with --detach and --verbose only${hint}`);
  }
  return {
    kind: "tab",
    action: seen.has("detach") ? "detach" : "attach",
    name: tab,
    verbose: seen.has("verbose"),
  };
}
