/**
 * Telling processes apart: a process id may be somebody else's by now.
 *
 * @module
 */
import { readTextIfAny } from "../sys/files.ts";
import { checked } from "../sys/errno.ts";
import { libc } from "../sys/libc.ts";

/** A process that ran at some time. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to its start: field 22 of /proc/PID/stat, proc(5). */
  readonly startTime: number;
}

/** Field of /proc/PID/stat, counted from the one after the command name. */
const STATE_FIELD = 0;
const THREADS_FIELD = 17;
const START_TIME_FIELD = 19;

/** What /proc says of a process, from its state on; undefined if there is no such process. */
function statFields(pid: number): string[] | undefined {
  const stat = readTextIfAny(`/proc/${pid}/stat`);
  // The name, in parentheses, may have spaces and parentheses in it.
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function isDead(fields: readonly string[]): boolean {
  return fields[STATE_FIELD] === "Z" || fields[STATE_FIELD] === "X";
}

/** Identity of the process that has `pid` now; undefined if none has, or it is a zombie. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const fields = statFields(pid);
  if (fields === undefined || isDead(fields)) return undefined;
  return { pid, startTime: Number(fields[START_TIME_FIELD]) };
}

/** What keeps a process from going on: a signal or debugger has stopped it, or it waits for a disk. */
export type Hindrance = "stopped" | "disk";

/** What keeps a process from going on at this moment, if anything. */
export function hindranceOf({ pid }: ProcessIdentity): Hindrance | undefined {
  switch (statFields(pid)?.[STATE_FIELD]) {
    case "T":
    case "t":
      return "stopped";
    case "D":
      return "disk";
    default:
      return undefined;
  }
}

/** Whether that very process still runs. */
export function isRunning(process: ProcessIdentity): boolean {
  return identityOf(process.pid)?.startTime === process.startTime;
}

/**
 * Sends a signal to a process if it still runs.
 *
 * @throws {SystemError} EPERM if it is another user's
 */
export function signalProcess(process: ProcessIdentity, signal: number): void {
  if (isRunning(process)) checked(libc().kill(process.pid, signal), "kill");
}

/** A process holds its files until its last thread has ended; a zombie is the first one. */
function hasGone({ pid, startTime }: ProcessIdentity): boolean {
  const fields = statFields(pid);
  if (fields === undefined || Number(fields[START_TIME_FIELD]) !== startTime) return true;
  return isDead(fields) && Number(fields[THREADS_FIELD]) <= 1;
}

/**
 * Waits until a process has gone, with all of its threads: until its files are closed, and unlocked.
 *
 * @returns false if it has not within `timeoutMs`
 */
export function waitUntilGone(process: ProcessIdentity, timeoutMs: number): boolean {
  const deadline = performance.now() + timeoutMs;
  for (let pauseUs = 200; !hasGone(process); pauseUs = Math.min(pauseUs * 2, 20_000)) {
    if (performance.now() > deadline) return false;
    libc().usleep(pauseUs);
  }
  return true;
}
