/**
 * Telling errors to users; without the C library, for errors of the command line.
 *
 * @module
 */

/** What an error says, without its kind and stack. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
