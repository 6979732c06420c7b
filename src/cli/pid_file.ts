/**
 * The file of `--pid-file`. What is of others, an image say, is neither replaced nor removed.
 *
 * @module
 */
import { libc } from "../sys/libc.ts";
import { CommandError } from "../sys/command_error.ts";
import {
  type FileStatus,
  fileStatusIfAny,
  readTextFile,
  removeFile,
  replaceFile,
} from "../sys/files.ts";
import { reasonOf } from "../sys/reason.ts";

/** Anybody may know whom to signal. */
const MODE = 0o644;
/** A file of a process id, and a line feed, is no longer, in bytes; images are. */
const MAX_BYTES = 32;
const PROCESS_ID = /^\s*\d*\s*$/;

/**
 * Makes sure that nothing is lost if a process id is written to `path`.
 *
 * @throws {CommandError} if what is there is neither empty nor has a process id
 */
export function checkPidFile(path: string): void {
  const reason = whyNot(path);
  if (reason !== undefined) throw cannotWrite(path, reason);
}

/**
 * Writes the process id of this process to `path`.
 *
 * @throws {CommandError} if that cannot be done, or something else is there
 */
export function writePidFile(path: string): void {
  checkPidFile(path);
  try {
    replaceFile(path, ownText(), MODE);
  } catch (error) {
    throw cannotWrite(path, reasonOf(error));
  }
}

/** Removes the file if it has the process id of this process still. */
export function removePidFile(path: string): void {
  const status = fileStatusIfAny(path);
  if (status !== undefined && isSmall(status) && readTextFile(path) === ownText()) removeFile(path);
}

function whyNot(path: string): string | undefined {
  const status = fileStatusIfAny(path);
  if (status === undefined) return undefined;
  if (status.kind !== "file") return "what is there is not a regular file";
  if (isSmall(status) && PROCESS_ID.test(readTextFile(path))) return undefined;
  return "the file there has something else in it";
}

function isSmall({ kind, sizeBytes }: FileStatus): boolean {
  return kind === "file" && sizeBytes <= MAX_BYTES;
}

function ownText(): string {
  return `${libc().getpid()}\n`;
}

function cannotWrite(path: string, reason: string): CommandError {
  return new CommandError(`${path}: cannot write the process id: ${reason}`);
}
