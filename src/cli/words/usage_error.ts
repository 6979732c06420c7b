/**
 * Wrong uses of the command line.
 *
 * @module
 */
import { safeText } from "../../sys/safe_text.ts";

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

  /** What there is none of, as `-k`, `--fork` or `--cache=none`, if it is about that. */
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
 * @param instead what stands here for what another program would have understood
 * @example
 * ```ts
 * usageErrorText(new UsageError("unexpected arguments"), "tslosetup");
 * // "tslosetup: unexpected arguments\n"
 * ```
 */
export function usageErrorText(error: UsageError, program: string, instead?: string): string {
  const line = (end: string): string => `${program}: ${safeText(error.message + end)}\n`;
  if (instead !== undefined) return line(`; ${instead}`);
  return error.hint ? `${line("")}Try '${program} --help' for more information.\n` : line("");
}
