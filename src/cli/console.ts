/**
 * What the command prints.
 *
 * @module
 */

const PROGRAM = "tslosetup";

/** Prints to standard output; a reader that has gone away is no error. */
export function print(text: string): void {
  writeAll(Deno.stdout, text);
}

/** Prints one line about a problem to standard error. */
export function complain(message: string): void {
  writeAll(Deno.stderr, `${PROGRAM}: ${message}\n`);
}

/** Prints `text` to standard error as it is. */
export function printError(text: string): void {
  writeAll(Deno.stderr, text);
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
