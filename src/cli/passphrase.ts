/**
 * Where the passphrase of an encrypted image comes from: a file, standard input or a person.
 *
 * @module
 */
import { SystemError } from "../sys/errno.ts";
import { O_RDONLY, openFile, readBytes } from "../sys/files.ts";
import { safeText } from "../sys/safe_text.ts";
import { askSecretly } from "../sys/secret_prompt.ts";
import { CommandError } from "../sys/command_error.ts";

const STANDARD_INPUT = 0;
/** Of `--key-file`: standard input. */
const INPUT_NAME = "-";
/** As cryptsetup's: a file that is longer is no key file. */
const MAX_KEY_FILE_BYTES = 8 * 1024 * 1024;

/**
 * The passphrase in a file: all of its bytes, line ends included, as with qemu and cryptsetup.
 *
 * @param path `-` is standard input
 * @throws {CommandError} if it cannot be read or is too long
 */
export function readKeyFile(path: string): Uint8Array {
  try {
    if (path === INPUT_NAME) return readBytes(STANDARD_INPUT, { maxBytes: MAX_KEY_FILE_BYTES });
    using file = openFile(path, O_RDONLY);
    return readBytes(file.number, { path, maxBytes: MAX_KEY_FILE_BYTES });
  } catch (error) {
    if (!(error instanceof SystemError || error instanceof RangeError)) throw error;
    const name = path === INPUT_NAME ? "standard input" : path;
    throw new CommandError(`cannot read the key file ${name}: ${error.message}`);
  }
}

/**
 * Asks for the passphrase of `file`.
 *
 * @returns undefined where nobody can be asked
 * @throws {CommandError} if nothing was answered
 */
export function askForPassphrase(file: string): Uint8Array | undefined {
  if (!Deno.stdin.isTerminal()) return undefined;
  try {
    const answer = askSecretly(`Passphrase for ${safeText(file)}: `);
    if (answer !== undefined) return answer;
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
  throw new CommandError("no passphrase was given");
}
