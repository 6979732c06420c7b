/**
 * Other programs that do a part of a command's work.
 *
 * @module
 */
import { spawn, waitFor } from "../sys/spawn.ts";
import { baseName } from "../sys/paths.ts";

/** mount(8), "EXIT STATUS": the user interrupted it. */
const INTERRUPTED = 8;
/** A program that a signal ended has an exit code above this. */
const SIGNALLED = 128;

/** Runs mount(8) or its like, which has this program's input and output, to its end; returns its exit code. */
export function runVisibly(program: string, args: readonly string[]): number {
  const code = waitFor(spawn(program, { argv: [baseName(program), ...args], fds: [0, 1, 2] }));
  return code > SIGNALLED ? INTERRUPTED : code;
}
