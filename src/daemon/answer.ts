/**
 * What a daemon tells the command that has started it.
 *
 * @module
 */
import type { Server } from "../serve/server.ts";
import { SystemError } from "../sys/errno.ts";
import { type Fd, writeText } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { type Answer, DaemonFd } from "./job.ts";
import type { Opened } from "./opened.ts";

/** An open image, and the sectors of its device. */
export interface Sectored extends Opened {
  readonly sectorBytes: number;
}

/** That it serves, and what. */
export function readyFor(server: Server, opened: Sectored, hint: string | undefined): Answer {
  const { access, request, sectorBytes } = opened;
  const warnings = hint === undefined ? opened.warnings : [...opened.warnings, hint];
  const { sizeBytes, flags } = server.description;
  const { readOnly, format } = request;
  const connections = server.usefulConnections;
  const files = access.files.map(({ identity }) => identity);
  return {
    ok: true,
    format,
    sizeBytes,
    readOnly,
    sectorBytes,
    flags,
    connections,
    warnings,
    files,
  };
}

/** Tells the command, unless that was killed: then nobody will set up what would be served. */
export function tryToAnswer(message: Answer, errors: Fd): boolean {
  try {
    answer(message, errors);
    return true;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}

/** From then on, nobody listens to errors: they go where `errors` leads, which is closed. */
function answer(message: Answer, errors: Fd): void {
  writeText(DaemonFd.Ready, JSON.stringify(message));
  libc().close(DaemonFd.Ready);
  libc().dup2(errors.number, DaemonFd.Errors);
  errors.close();
}
