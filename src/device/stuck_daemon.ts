/**
 * Daemons that do not go on: stopped by a signal or a debugger, frozen with their cgroup, or waiting for
 * a disk that does not answer. Whatever waits for their device waits for them, inside the kernel, where
 * nothing can end it.
 *
 * @module
 */
import type { DaemonEnd } from "../daemon/daemon_end.ts";
import { startLazyDetach } from "../daemon/helpers.ts";
import { type Hindrance, hindranceOf } from "../daemon/processes.ts";
import { type AttachState, isStale } from "../daemon/state.ts";
import { complain } from "../sys/console.ts";
import { libc } from "../sys/libc.ts";

/** How long a daemon may stand still, or be at work, before anything is said about it. */
const GRACE_MS = 1000;
const PAUSE_US = 10_000;
/** How long a daemon may take to write everything back. */
const FLUSH_MS = 10 * 60_000;

/** What keeps a daemon from going on, if that has lasted for the whole grace period. */
export function lastingHindrance(state: AttachState): Hindrance | undefined {
  const deadline = performance.now() + GRACE_MS;
  for (;;) {
    const hindrance = hindranceOf(state);
    if (hindrance === undefined || performance.now() > deadline) return hindrance;
    libc().usleep(PAUSE_US);
  }
}

/** A daemon that stands still until somebody does something about it, in words that say what. */
const STANDSTILLS: Readonly<Partial<Record<Hindrance, (pid: number) => string>>> = {
  stopped: (pid) => `is stopped: kill -CONT ${pid} lets it go on`,
  frozen: () => "is frozen with its cgroup (as by docker pause): it goes on when that is thawed",
};

/** What is said of a daemon that stands still so; undefined if it does not. */
export function standstill(pid: number, hindrance: Hindrance | undefined): string | undefined {
  return hindrance && STANDSTILLS[hindrance]?.(pid);
}

const GIVING_UP = ", --force gives up on it";

/** @throws {Error} if a daemon stands still, and nobody knows for how long */
export function refuseStandstill(
  { pid }: AttachState,
  { hindrance, remedy = "" }: {
    readonly hindrance: Hindrance | undefined;
    readonly remedy?: string;
  },
): void {
  const words = standstill(pid, hindrance);
  if (words !== undefined) throw new Error(`its daemon (pid ${pid}) ${words}${remedy}`);
}

/** Says so if a daemon stands still, for whose device others will wait. */
export function tellStandstill(
  { device, pid }: Pick<AttachState, "device" | "pid">,
  hindrance: Hindrance | undefined,
): void {
  const words = standstill(pid, hindrance);
  if (words === undefined) return;
  complain(`${device}: warning: its daemon (pid ${pid}) ${words}${GIVING_UP}`);
}

/** @throws {Error} if a daemon was killed */
export function refuseKilled(state: AttachState): void {
  if (isStale(state)) throw new Error(`its daemon (pid ${state.pid}) was killed`);
}

/** What is said of a daemon that would have to be told something. */
export function outOfSight({ pid }: AttachState): Error {
  const where = `runs in another PID namespace, such as a container's, as pid ${pid} there`;
  return new Error(`its daemon ${where}, and can only be told in that`);
}

/**
 * Has the device of a daemon that stands still go as soon as that goes on; another process does it,
 * for the call may not return before.
 *
 * @throws {Error} if nobody knows when the daemon will go on
 */
export function detachWhenAwake(
  state: AttachState,
  { hindrance, end }: { readonly hindrance: Hindrance; readonly end: DaemonEnd },
): void {
  startLazyDetach(state);
  refuseStandstill(state, { hindrance, remedy: GIVING_UP });
  const { device, pid } = state;
  complain(`${device}: waiting for its daemon (pid ${pid}), which waits for a disk`);
  waitForDaemon(state, end);
}

/**
 * Waits until a daemon has written everything back and ended; says so if that takes long.
 *
 * @throws {Error} if it does not end
 */
export function waitForDaemon(state: AttachState, end: DaemonEnd): void {
  if (end.wait(GRACE_MS)) return;
  const { device, pid } = state;
  let isTold = false;
  for (const deadline = performance.now() + FLUSH_MS; performance.now() < deadline;) {
    refuseStandstill(state, { hindrance: lastingHindrance(state), remedy: GIVING_UP });
    if (!isTold) {
      complain(`${device}: waiting for its daemon (pid ${pid}) to write everything back`);
    }
    isTold = true;
    if (end.wait(GRACE_MS)) return;
  }
  throw new Error(`its daemon (pid ${pid}) has not ended; --force ends it`);
}
