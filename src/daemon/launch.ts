/**
 * Starting this very program again: as a daemon, or as a daemon's helper.
 *
 * @module
 */
import { Fd, fileExists, readText, writeBytes, writeText } from "../sys/files.ts";
import { readLink } from "../sys/paths.ts";
import { libc } from "../sys/libc.ts";
import { isReadable } from "../sys/poll.ts";
import { pipe } from "../sys/sockets.ts";
import { daemonSignals, SIGHUP, SIGINT, SIGTERM, SIGXFSZ } from "../sys/signals.ts";
import { openNull, spawn, waitFor } from "../sys/spawn.ts";
import { trace } from "../sys/trace.ts";
import {
  type Answer,
  DAEMON_ARGUMENT,
  encodeJob,
  GO,
  type Job,
  LAZY_DETACH_ARGUMENT,
  REAP_ARGUMENT,
} from "./job.ts";
import { identityOf, type ProcessIdentity } from "./processes.ts";
import type { AttachState } from "./state.ts";

const LOSETUP_PATHS = ["/sbin/losetup", "/usr/sbin/losetup", "/bin/losetup", "/usr/bin/losetup"];
const WNOHANG = 1;
/** Writing back what others wait for must not wait for memory that is being freed by it. */
const PR_SET_IO_FLUSHER = 57;

/** A daemon that has answered. */
export interface Launched {
  readonly process: ProcessIdentity;
  readonly answer: Answer;
  /** Tells the daemon that its device is set up. */
  confirm(): void;
  /** Makes the daemon end, unless it was confirmed. */
  abandon(): void;
  /** Reads as {@link DONE} when the daemon ends in order, and just ends when it is killed. */
  readonly watch: Fd;
}

/** After so long a wait the user is told what takes its time. */
const SLOW_MS = 3000;

/**
 * Starts a daemon and waits for its answer.
 *
 * @param sockets what it is to serve, in order, then what it is to keep open
 * @param onSlow called once if the answer takes some seconds
 * @throws {Error} if it cannot be started, or ends without an answer
 */
export function launchDaemon(
  job: Job,
  sockets: readonly Fd[],
  onSlow: () => void = () => {},
): Launched {
  if (job.transport !== "socket") libc().prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
  const [jobEnd, jobStart] = pipe();
  const [readyEnd, readyStart] = pipe();
  const [lifelineEnd, lifeline] = pipe();
  const [watch, watchEnd] = pipe();
  const [errors, errorsEnd] = pipe();
  using nothing = openNull();
  const pid = spawnSelf([DAEMON_ARGUMENT], [
    jobEnd.number,
    nothing.number,
    errorsEnd.number,
    readyStart.number,
    lifelineEnd.number,
    watchEnd.number,
    ...sockets.map((socket) => socket.number),
  ]);
  for (const fd of [jobEnd, readyStart, lifelineEnd, watchEnd, errorsEnd, ...sockets]) fd.close();
  const process = identityOf(pid) ?? { pid, startTime: 0 };
  handOver(job, jobStart);
  if (!isReadable(readyEnd.number, SLOW_MS)) onSlow();
  const text = readText(readyEnd.number);
  readyEnd.close();
  trace("daemon", () => `pid ${pid} for transport ${job.transport} answers ${text || "nothing"}`);
  if (text === "") throw new Error(`the daemon did not start: ${lastWords(errors, pid)}`);
  errors.close();
  return {
    process,
    answer: JSON.parse(text) as Answer,
    confirm: () => {
      writeText(lifeline.number, GO);
      lifeline.close();
    },
    abandon: () => {
      lifeline.close();
      watch.close();
    },
    watch,
  };
}

/** Leaves nothing of a passphrase in the encoded job behind. */
function handOver(job: Job, end: Fd): void {
  const bytes = encodeJob(job);
  writeBytes(end.number, bytes);
  bytes.fill(0);
  end.close();
}

/** The line that tells most of what a daemon that has ended had to say. */
function lastWords(errors: Fd, pid: number): string {
  const code = waitFor(pid);
  const lines = readText(errors.number).split("\n").map((line) => line.trim());
  const told = lines.find((line) => line.startsWith("error:")) ?? lines.find((line) => line !== "");
  return told ?? `exit code ${code}`;
}

/** Starts the helper that has a device detached as soon as nobody uses it. */
export function startLazyDetach(state: AttachState): void {
  using nothing = openNull();
  const fds = [nothing.number, nothing.number, nothing.number];
  reapChildren();
  const { device } = state;
  if (fileExists(ownExecutable())) spawnSelf([LAZY_DETACH_ARGUMENT, device], fds);
  else spawn(losetup(device), { argv: ["losetup", "-d", device], fds });
}

/** The stock tool does for a loop device when this program has been removed meanwhile. */
function losetup(device: string): string {
  const program = LOSETUP_PATHS.find(fileExists);
  if (program !== undefined && device.startsWith("/dev/loop")) return program;
  throw new Error(`cannot detach ${device}: the program that could has been removed`);
}

/** Earlier helpers that have ended. */
function reapChildren(): void {
  while (libc().waitpid(-1, new Uint8Array(4), WNOHANG) > 0);
}

/**
 * Leaves a shell behind that has the device disconnected if its daemon is killed: a request the
 * daemon had taken would otherwise wait for ever, for the kernel does not give up on it. A shell, as
 * it costs a megabyte where another process of this program would cost fifty.
 */
export function startWatcher(state: AttachState, watch: Fd): void {
  using nothing = openNull();
  const { program, prefix } = ownCommand();
  const script = 'read -r line || exec "$@"';
  const reap = [program, ...prefix, REAP_ARGUMENT, state.device];
  // Its name has to be that of a shell: in an initramfs it may be one of busybox's many.
  spawn("/bin/sh", {
    argv: ["sh", "-c", script, "sh", ...reap],
    fds: [watch.number, nothing.number, nothing.number],
    newSession: true,
    blockedSignals: [SIGHUP, SIGINT, SIGTERM],
  });
  watch.close();
}

function spawnSelf(args: readonly string[], fds: readonly number[]): number {
  const { program, prefix } = ownCommand();
  // systemd spares storage daemons of the initramfs whose name begins so (ROOT_STORAGE_DAEMONS).
  const name = libc().geteuid() === 0 ? "@tslosetup" : "tslosetup";
  return spawn(program, {
    argv: [name, ...prefix, ...args],
    fds,
    newSession: true,
    // Blocked, the last one leaves an error of the write that passes the user's limit (EFBIG).
    blockedSignals: [...daemonSignals(), SIGXFSZ],
  });
}

/** How to run this program: the compiled binary itself, or Deno with the main module. */
function ownCommand(): { program: string; prefix: readonly string[] } {
  const program = ownExecutable();
  if (Deno.build.standalone) return { program, prefix: [] };
  const sources = filePath("../");
  const config = `--config=${filePath("../../deno.json")}`;
  // Deno reads a worker's module as the program would, where it is not part of a binary.
  const permissions = [
    "--allow-ffi",
    "--allow-env=XDG_RUNTIME_DIR,TSLOSETUP_DEBUG",
    `--allow-read=${sources}`,
  ];
  const flags = ["--quiet", "--no-prompt", ...permissions, config];
  return { program, prefix: ["run", ...flags, `${sources}main.ts`] };
}

function filePath(relative: string): string {
  return decodeURIComponent(new URL(relative, import.meta.url).pathname);
}

/**
 * The file this program was started from, or what an upgrade has put in its place: a removed file
 * cannot be started once more, not even by way of /proc.
 */
function ownExecutable(): string {
  return readLink("/proc/self/exe").replace(/ \(deleted\)$/, "");
}
