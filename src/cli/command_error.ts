/**
 * A command that could not be carried out.
 *
 * @module
 */

/** Its message is the one line for standard error; the exit code is 1, as in losetup. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

/** What an error says, without its kind and stack. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
