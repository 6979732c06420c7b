/**
 * Asking a daemon something, which it answers in its state.
 *
 * @module
 */
import { DaemonEnd } from "../daemon/daemon_end.ts";
import { signalProcess } from "../daemon/processes.ts";
import type { AttachState, StateStore } from "../daemon/state.ts";
import { libc } from "../sys/libc.ts";
import { SIGHUP } from "../sys/signals.ts";
import { outOfSight } from "./stuck_daemon.ts";

const PAUSE_US = 1000;

/** A daemon that was asked does not answer in time, or has ended. */
export class DaemonSilentError extends Error {
  override readonly name = "DaemonSilentError";
}

/**
 * Has a daemon look at the size of its image, and waits until it has.
 *
 * @returns its state afterwards
 * @throws {DaemonSilentError} if it does not answer within `patienceMs`, or ends
 * @throws {Error} if it cannot be asked from here
 */
export function askForSize(
  state: AttachState,
  { states, patienceMs }: { readonly states: StateStore; readonly patienceMs: number },
): AttachState {
  using end = new DaemonEnd(state);
  const { pid, sizeChecks: before = 0 } = state;
  let asked = state.pid;
  if (!signalProcess(state, SIGHUP)) throw outOfSight(state);
  for (const deadline = performance.now() + patienceMs; performance.now() < deadline;) {
    const hasEnded = end.hasCome;
    const now = states.reread(state);
    if (now !== undefined && (now.sizeChecks ?? 0) > before) return now;
    // Killed by now, it may not have heard of it; the one in its place is asked, too.
    if (now !== undefined && now.pid !== asked) signalProcess(now, SIGHUP);
    asked = now?.pid ?? asked;
    if (hasEnded) throw new DaemonSilentError(`its daemon (pid ${pid}) has ended`);
    libc().usleep(PAUSE_US);
  }
  throw new DaemonSilentError(`its daemon (pid ${pid}) does not answer`);
}
