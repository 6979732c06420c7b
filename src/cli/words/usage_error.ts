/**
 * Wrong uses of the command line.
 *
 * @module
 */
import { safeText } from "../../sys/safe_text.ts";
import { insteadOf } from "./qemu_nbd_options.ts";

export interface UsageErrorOptions {
  /** See {@link UsageError.hint}. */
  readonly hint: boolean;
  /** See {@link UsageError.unknownOption}. */
  readonly unknownOption?: string;
}

/** A command line that cannot be carried out as written. Always exit code 1, as in losetup. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /**
   * Whether the line that points at `--help` follows. losetup 2.38.1 prints it (`errtryhelp`) only
   * for what getopt_long finds, not for unusable values, exclusive options or missing operands.
   */
  readonly hint: boolean;

  /** The option that there is none of, as `-k` or `--fork`, if it is about that. */
  readonly unknownOption: string | undefined;

  constructor(message: string, options: UsageErrorOptions = { hint: false }) {
    super(message);
    this.hint = options.hint;
    this.unknownOption = options.unknownOption;
  }
}

/**
 * What goes to standard error for `error`, each line ended; words of the command line are made safe.
 *
 * @example
 * ```ts
 * usageErrorText(new UsageError("unexpected arguments"), "tslosetup");
 * // "tslosetup: unexpected arguments\n"
 * ```
 */
export function usageErrorText(error: UsageError, program: string): string {
  const hint = error.hint ? `${hintFor(error.unknownOption, program)}\n` : "";
  return `${program}: ${safeText(error.message)}\n${hint}`;
}

function hintFor(unknownOption: string | undefined, program: string): string {
  const instead = unknownOption && insteadOf(unknownOption);
  if (!instead) return `Try '${program} --help' for more information.`;
  return `For qemu-nbd's ${unknownOption}: ${instead}.`;
}
