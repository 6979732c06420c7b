/**
 * A scope of systemd's for the processes of a device. What a service or a login session leaves behind is
 * ended with it, and with that the device; a scope of its own (systemd.scope(5)) is nobody's to end.
 *
 *     command ── systemd-run --scope ── shell in the scope
 *        │ <────────── "ready" ──────────┤
 *        │ ── process ids, itself too ──>│ moves them: the scope is delegated (systemd.resource-control(5))
 *        │ <────────── "moved" ──────────┘ ends
 *
 * That takes 20 to 50 ms, in which the daemon starts. What the command starts afterwards, the watcher,
 * begins in the scope, and so does what that will start.
 *
 * @module
 */
import { ifPossible } from "../sys/errno.ts";
import { type Fd, fileExists, readText, readTextIfAny, writeText } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { isReadable } from "../sys/poll.ts";
import { pipe } from "../sys/sockets.ts";
import { openNull, spawn } from "../sys/spawn.ts";
import { trace } from "../sys/trace.ts";
import { passedEnvironment } from "./own_program.ts";

/** There exactly where systemd is what started the system: sd_booted(3). */
const SYSTEMD_RUNS = "/run/systemd/system";
const SYSTEMD_RUN = ["/usr/bin/systemd-run", "/bin/systemd-run"];
/** After so long, in milliseconds, the device does without: what waits for it is more important. */
const PATIENCE_MS = 5000;

/**
 * At shutdown the daemon is told to let go, which it does as soon as its file systems are unmounted: that
 * is waited for. It is never killed, as what it has not written yet would be lost. Nothing is to start it
 * before, or end it when another target is switched to.
 */
const PROPERTIES: readonly string[] = [
  "DefaultDependencies=no",
  "Conflicts=umount.target",
  "Before=umount.target",
  "IgnoreOnIsolate=yes",
  "SendSIGKILL=no",
  "Delegate=yes",
];

const READY = "ready\n";
const MOVED = "moved\n";

/**
 * What moves processes to the cgroup that it is in: that of the unified hierarchy, and of systemd's own
 * where there are several (cgroups(7)).
 */
const MOVER = [
  "echo ready",
  "read -r pids || exit",
  "while IFS=: read -r number controllers path; do case $controllers in " +
  "'') folders='/sys/fs/cgroup/unified /sys/fs/cgroup' ;; " +
  "name=systemd) folders=/sys/fs/cgroup/systemd ;; *) continue ;; esac",
  'for folder in $folders; do file=$folder$path/cgroup.procs; [ -e "$file" ] || continue',
  'for pid in $pids; do echo "$pid" >"$file" || exit; done; done; done </proc/self/cgroup',
  "echo moved",
].join("; ");

/** A scope that is being made. It goes with its last process, or with this, if none was moved to it. */
export class DaemonScope implements Disposable {
  readonly #words: Fd;
  readonly #processes: Fd;

  private constructor(words: Fd, processes: Fd) {
    this.#words = words;
    this.#processes = processes;
  }

  /** Has one made, where systemd runs and takes orders from who this is: root. */
  static begin(): DaemonScope | undefined {
    if (libc().geteuid() !== 0 || !fileExists(SYSTEMD_RUNS) || !isFirstHere()) return undefined;
    const program = SYSTEMD_RUN.find(fileExists);
    return program === undefined ? undefined : ifPossible(() => DaemonScope.#make(program));
  }

  static #make(program: string): DaemonScope {
    const [input, processes] = pipe();
    const [words, output] = pipe();
    using nothing = openNull();
    const properties = PROPERTIES.map((property) => `--property=${property}`);
    try {
      spawn(program, {
        argv: [
          ...["systemd-run", "--scope", "--quiet", "--collect", "--no-ask-password"],
          ...[`--unit=${freshName()}`, "--description=Daemon of a device of tslosetup"],
          ...[...properties, "--", "/bin/sh", "-c", MOVER],
        ],
        environment: passedEnvironment(),
        fds: [input.number, output.number, nothing.number],
        newSession: true,
      });
      return new DaemonScope(words, processes);
    } finally {
      input.close();
      output.close();
    }
  }

  /**
   * Moves processes of this user there, and this one.
   *
   * @returns false if that was not possible: they stay where they are
   */
  take(pids: readonly number[]): boolean {
    const all = [...pids, libc().getpid()];
    // Whoever was heard of takes the ids at once: it must not do so when they are those of others.
    const areMoved = isReadable(this.#words.number, PATIENCE_MS) &&
      tryToWrite(this.#processes.number, `${all.join(" ")}\n`) &&
      readText(this.#words.number) === READY + MOVED;
    trace("daemon", () => areMoved ? "has a scope of its own" : "stays in the unit it began in");
    return areMoved;
  }

  [Symbol.dispose](): void {
    this.#words.close();
    this.#processes.close();
  }
}

/**
 * Whether systemd counts processes as this process does. In a container that shares no more than /run
 * with it, it would take the ids for those of its own processes, and move these.
 */
function isFirstHere(): boolean {
  return readTextIfAny("/proc/1/comm") === "systemd";
}

function tryToWrite(fd: number, text: string): boolean {
  return ifPossible(() => {
    writeText(fd, text);
    return true;
  }) === true;
}

/** Names of units that have ended with a fault stay taken for a while: no two are the same. */
function freshName(): string {
  const random = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  return `tslosetup-${libc().getpid()}-${random.toString(16)}.scope`;
}
