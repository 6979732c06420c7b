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

/** A line has room for two names of the longest kind (4095 bytes), and what is said of them; in characters. */
const LINE_LENGTH = 9000;

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
  printError(`${PROGRAM}: ${safeText(withoutMiddle(message))}\n`);
}

/** What an image says can be as long as it likes: of such a message, the start and the end are left. */
function withoutMiddle(message: string): string {
  if (message.length <= LINE_LENGTH) return message;
  return `${message.slice(0, LINE_LENGTH / 2)}...${message.slice(-LINE_LENGTH / 2)}`;
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
