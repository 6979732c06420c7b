/**
 * A command that could not be carried out.
 *
 * @module
 */

/** Its message is the one line for standard error; the exit code is 1, as in losetup. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}
