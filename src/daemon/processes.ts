/**
 * Telling processes apart: a process id may be somebody else's by now, and it means another process in
 * another PID namespace, a container for example.
 *
 * @module
 */
import { listDirectory } from "../sys/directories.ts";
import { readTextIfAny } from "../sys/files.ts";
import { checked, ifPossible } from "../sys/errno.ts";
import { libc } from "../sys/libc.ts";
import { readLink } from "../sys/paths.ts";
import { isFrozen } from "./freezer.ts";

/** A process that ran at some time. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to its start: field 22 of /proc/PID/stat, proc(5). */
  readonly startTime: number;
  /** Inode of the PID namespace in which it has that id; left out where that is not known. */
  readonly pidNamespace?: number;
  /** Which run of the kernel it was in; left out where that is not known. */
  readonly boot?: string;
}

/** Field of /proc/PID/stat, counted from the one after the command name. */
const STATE_FIELD = 0;
const THREADS_FIELD = 17;
const START_TIME_FIELD = 19;

/** Whether the ids in /proc are those of this PID namespace: there may be that of one above it. */
function isProcOwn(): boolean {
  return Number(ifPossible(() => readLink("/proc/self"))) === libc().getpid();
}

/** The id in /proc of the process that has `pid` in this namespace; undefined if it cannot be seen. */
function idInProc(pid: number): number | undefined {
  if (isProcOwn()) return pid;
  const pidNamespace = pidNamespaceOf("self");
  return pidNamespace === undefined ? undefined : findByNamespace({ pid, pidNamespace });
}

/** What /proc says of a process, from its state on; undefined if there is no such process. */
function statFields(idThere: number | undefined): string[] | undefined {
  const stat = idThere === undefined ? undefined : readTextIfAny(`/proc/${idThere}/stat`);
  // The name, in parentheses, may have spaces and parentheses in it.
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function isDead(fields: readonly string[]): boolean {
  return fields[STATE_FIELD] === "Z" || fields[STATE_FIELD] === "X";
}

/** Identity of the process that has `pid` here now; undefined if none has, or it is a zombie. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const fields = statFields(idInProc(pid));
  if (fields === undefined || isDead(fields)) return undefined;
  return { pid, startTime: Number(fields[START_TIME_FIELD]) };
}

/** That of this process. */
export function ownIdentity(): ProcessIdentity {
  const pid = libc().getpid();
  return { pid, startTime: 0, ...identityOf(pid), ...ownSurroundings() };
}

/** What process ids mean here. */
export function ownSurroundings(): Pick<ProcessIdentity, "pidNamespace" | "boot"> {
  const pidNamespace = pidNamespaceOf("self");
  const boot = currentBoot();
  return {
    ...(pidNamespace === undefined ? {} : { pidNamespace }),
    ...(boot === undefined ? {} : { boot }),
  };
}

/** By the link `pid:[4026531836]`, namespaces(7). */
function pidNamespaceOf(pid: number | "self"): number | undefined {
  const digits = /\d+/.exec(ifPossible(() => readLink(`/proc/${pid}/ns/pid`)) ?? "")?.[0];
  return digits === undefined ? undefined : Number(digits);
}

function currentBoot(): string | undefined {
  return readTextIfAny("/proc/sys/kernel/random/boot_id");
}

function isOfOtherBoot({ boot }: ProcessIdentity): boolean {
  return boot !== undefined && boot !== (currentBoot() ?? boot);
}

function isOfThisNamespace({ pidNamespace }: ProcessIdentity): boolean {
  return pidNamespace === undefined || pidNamespace === pidNamespaceOf("self");
}

/** The id that a process has in /proc; undefined if it has ended, or cannot be seen from here. */
export function idHere(process: ProcessIdentity): number | undefined {
  if (isOfOtherBoot(process)) return undefined;
  if (!isOfThisNamespace(process)) return findByNamespace(process);
  return identityOf(process.pid)?.startTime === process.startTime
    ? idInProc(process.pid)
    : undefined;
}

/** The id in /proc of a process of another namespace than that of /proc. */
function findByNamespace(
  { pid, pidNamespace }: Pick<ProcessIdentity, "pid" | "pidNamespace">,
): number | undefined {
  return listDirectory("/proc").map(Number).find((id) =>
    Number.isInteger(id) && innermostId(id) === pid && pidNamespaceOf(id) === pidNamespace &&
    !isDead(statFields(id) ?? ["X"])
  );
}

/** What a process calls itself: the last of its ids, which begin with that here. */
function innermostId(pid: number): number | undefined {
  const ids = /^NSpid:\s+(.*)$/m.exec(readTextIfAny(`/proc/${pid}/status`) ?? "")?.[1];
  return ids === undefined ? undefined : Number(ids.split(/\s+/).at(-1));
}

/** Whether it cannot be told from here whether a process still runs: it is not among those of /proc. */
export function isOutOfSight(process: ProcessIdentity): boolean {
  return !isOfOtherBoot(process) && !isOfThisNamespace(process) && idHere(process) === undefined;
}

/**
 * What keeps a process from going on: a signal or debugger has stopped it, its cgroup is frozen, or it
 * waits for a disk.
 */
export type Hindrance = "stopped" | "frozen" | "disk";

const HINDRANCES: Readonly<Record<string, Hindrance>> = { T: "stopped", t: "stopped", D: "disk" };

/** What keeps a process from going on at this moment, if anything that can be seen from here. */
export function hindranceOf(process: ProcessIdentity): Hindrance | undefined {
  const pid = isOfThisNamespace(process) ? idInProc(process.pid) : idHere(process);
  if (pid === undefined) return undefined;
  // Of what is frozen, the state may be any.
  return isFrozen(pid) ? "frozen" : HINDRANCES[statFields(pid)?.[STATE_FIELD] ?? ""];
}

/** Whether that very process still runs, and can be seen from here. */
export function isRunning(process: ProcessIdentity): boolean {
  return idHere(process) !== undefined;
}

/**
 * Sends a signal to a process if it still runs.
 *
 * @returns false if it may run out of sight
 * @throws {SystemError} EPERM if it is another user's
 */
export function signalProcess(process: ProcessIdentity, signal: number): boolean {
  const idThere = idHere(process);
  if (idThere === undefined) return !isOutOfSight(process);
  const isOurs = isOfThisNamespace(process);
  // An id in a /proc of another namespace is somebody else's here.
  if (!isOurs && !isProcOwn()) return false;
  checked(libc().kill(isOurs ? process.pid : idThere, signal), "kill");
  return true;
}

/**
 * Whether a process has gone with all of its threads, of which the last one holds its files; one out
 * of sight counts as gone. (A zombie is the first thread.)
 */
export function hasGone(process: ProcessIdentity): boolean {
  if (!isOfThisNamespace(process)) return !isRunning(process);
  const fields = statFields(idInProc(process.pid));
  if (fields === undefined || Number(fields[START_TIME_FIELD]) !== process.startTime) return true;
  return isDead(fields) && Number(fields[THREADS_FIELD]) <= 1;
}

/**
 * Waits until a process has gone, with all of its threads: until its files are closed, and unlocked.
 *
 * @returns false if it has not within `timeoutMs`
 */
export function waitUntilGone(process: ProcessIdentity, timeoutMs: number): boolean {
  return waitUntil(() => hasGone(process), timeoutMs);
}

/**
 * Waits for what another process does.
 *
 * @returns false if `condition` does not hold within `timeoutMs`
 */
export function waitUntil(condition: () => boolean, timeoutMs: number): boolean {
  const deadline = performance.now() + timeoutMs;
  for (let pauseUs = 200; !condition(); pauseUs = Math.min(pauseUs * 2, 20_000)) {
    if (performance.now() > deadline) return false;
    libc().usleep(pauseUs);
  }
  return true;
}
