/**
 * Which options exclude each other, and the check, as util-linux does it (include/optutils.h:
 * `err_exclusive_options`). The rows are those of losetup 2.38.1; that of --output, too, though only
 * 2.42 applies it.
 *
 * @module
 */
import type { OptionName } from "./option_table.ts";
import { UsageError } from "./usage_error.ts";

/** In each row every option excludes every other; the error names the row in its order. */
export const EXCLUSIVE_OPTIONS: readonly (readonly OptionName[])[] = [
  ["detach-all", "all", "set-capacity", "detach", "find", "associated"],
  ["detach-all", "set-capacity", "detach", "find", "list"],
  ["detach-all", "output", "set-capacity", "detach", "find"],
  ["json", "raw"],
  ["no-backing", "backing-fmt"],
  ["no-backing", "parent"],
  // What is not written to needs no overlay, and what is in one is nobody else's to share.
  ["read-only", "overlay"],
  ["nooverlap", "overlay"],
  ["repair", "force"],
  // Those with --remove, which losetup has since 2.42, come later, so that all others are worded as before.
  ["detach-all", "all", "set-capacity", "detach", "find", "associated", "remove"],
  ["detach-all", "set-capacity", "detach", "find", "list", "remove"],
  ["detach-all", "output", "set-capacity", "detach", "find", "remove"],
  // A socket is not a block device: there is none to scan, or to give a sector size.
  ["socket", "partscan"],
  ["socket", "sector-size"],
  ["socket", "nooverlap"],
  ["socket", "direct-io"],
  ["socket", "loop-ref"],
];

/**
 * Checks an option against those before it.
 *
 * @throws {UsageError} without a hint, if one of `seen` excludes `name`
 */
export function checkExclusive(name: OptionName, seen: ReadonlySet<OptionName>): void {
  const row = EXCLUSIVE_OPTIONS.find((names) =>
    names.includes(name) && names.some((other) => other !== name && seen.has(other))
  );
  if (row === undefined) return;
  throw mutuallyExclusive(row.map((other) => `--${other}`));
}

/** @param names as they are typed */
export function mutuallyExclusive(names: readonly string[]): UsageError {
  return new UsageError(`mutually exclusive arguments: ${names.join(" ")}`);
}
