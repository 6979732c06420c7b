/**
 * What the command prints.
 *
 * @module
 */

import { reasonOf } from "./reason.ts";
import { safeText } from "./safe_text.ts";
import { encodeText } from "./text.ts";
import { CommandError } from "./command_error.ts";

const PROGRAM = "tslosetup";

/**
 * Prints to standard output; a reader that has gone away is no error.
 *
 * @throws {CommandError} in losetup's words, if it cannot be written
 */
export function print(text: string): void {
  try {
    writeAll(Deno.stdout, text);
  } catch (error) {
    throw new CommandError(`write error: ${reasonOf(error).replace(/ \(os error \d+\)$/, "")}`);
  }
}

/** Prints one line about a problem to standard error; names in it are made safe. */
export function complain(message: string): void {
  printError(`${PROGRAM}: ${safeText(message)}\n`);
}

/** Prints `text` to standard error as it is. Nobody could be told that this has failed. */
export function printError(text: string): void {
  try {
    writeAll(Deno.stderr, text);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encodeText(text);
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
