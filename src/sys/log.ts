/**
 * The daemon's log: a line to syslog or the journal, or to the kernel's log where neither runs.
 * It never waits and never floods.
 *
 * @module
 */
import { ifPossible, SystemError } from "./errno.ts";
import type { Fd } from "./fd.ts";
import { openKernelLog } from "./kernel_log.ts";
import { libc } from "./libc.ts";
import { addressOf } from "./memory.ts";
import { inRunFolder, isInOwnRoot } from "./own_root.ts";
import { safeText } from "./safe_text.ts";
import { datagramTo, MSG_DONTWAIT, MSG_NOSIGNAL } from "./sockets.ts";

const SYSLOG_SOCKET = "/dev/log";
/** Below /run, systemd-journald.service(8). */
const JOURNAL_SOCKET = "systemd/journal/dev-log";
/** Facility daemon (3), severity error (3): RFC 5424, section 6.2.1. */
const PRIORITY = 3 * 8 + 3;
/** So many lines pass in each interval; the rest is counted. */
const LINES_PER_INTERVAL = 10;
const INTERVAL_MS = 10_000;

/** Lets a few messages through in each interval, and says how many it has held back. */
export class RateLimit {
  #intervalStart = -Infinity;
  #passed = 0;
  #heldBack = 0;

  /**
   * @param nowMs a monotonic clock in milliseconds
   * @returns how many messages were held back before this one; -1 if this one is, too
   */
  admit(nowMs: number): number {
    if (nowMs - this.#intervalStart >= INTERVAL_MS) {
      this.#intervalStart = nowMs;
      this.#passed = 0;
    }
    if (this.#passed >= LINES_PER_INTERVAL) {
      this.#heldBack++;
      return -1;
    }
    this.#passed++;
    const heldBack = this.#heldBack;
    this.#heldBack = 0;
    return heldBack;
  }
}

/** Writes lines about one image. */
export class Log {
  readonly #subject: string;
  readonly #limit = new RateLimit();

  /** @param subject what the lines are about: the image's path */
  constructor(subject: string) {
    this.#subject = subject;
  }

  error(message: string): void {
    const heldBack = this.#limit.admit(performance.now());
    if (heldBack < 0) return;
    if (heldBack > 0) writeLine(`${this.#subject}: ${heldBack} more errors were not logged`);
    writeLine(`${this.#subject}: ${message}`);
  }
}

/** A line as log services, and the kernel, take it. */
export function logLine(text: string, pid: number): string {
  return `<${PRIORITY}>tslosetup[${pid}]: ${safeText(text)}`;
}

function writeLine(text: string): void {
  // Of a line without an end, the kernel's log waits for the rest.
  const bytes = new TextEncoder().encode(`${logLine(text, libc().getpid())}\n`);
  try {
    using target = openTarget();
    if (target === undefined) return;
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    const sent = libc().send(target.number, addressOf(bytes), bytes.length - 1, flags);
    // The kernel's log is a file, not a socket.
    if (sent < 0) libc().write(target.number, addressOf(bytes), bytes.length);
  } catch (error) {
    // With nowhere to log to, serving goes on.
    if (!(error instanceof SystemError)) throw error;
  }
}

/** Opened anew for each of the few lines: a restarted log service listens on a new socket. */
function openTarget(): Fd | undefined {
  const socket = isInOwnRoot()
    ? ifPossible(() => inRunFolder(openFromRun))
    : datagramTo(SYSLOG_SOCKET);
  return socket ?? openKernelLog();
}

/** From there, /dev/log leads nowhere if it is a link to the journal's. */
function openFromRun(): Fd | undefined {
  return datagramTo(`..${SYSLOG_SOCKET}`) ?? datagramTo(JOURNAL_SOCKET);
}
