/**
 * `-d --force`: whatever a daemon does, it ends.
 *
 * @module
 */
import type { DaemonEnd } from "../daemon/daemon_end.ts";
import { startLazyDetach } from "../daemon/helpers.ts";
import { type Hindrance, hindranceOf, isOutOfSight, signalProcess } from "../daemon/processes.ts";
import type { AttachState, StateStore } from "../daemon/state.ts";
import { deviceUsers } from "../kernel/users.ts";
import { ifPossible } from "../sys/errno.ts";
import { complain } from "../sys/console.ts";
import { SIGKILL } from "../sys/signals.ts";
import { askForSize, DaemonSilentError } from "./ask_daemon.ts";
import { takeAwayDead } from "./dead_devices.ts";
import { letGo, noteIn } from "./let_go.ts";
import { checkOutcome } from "./outcome.ts";
import { lastingHindrance } from "./stuck_daemon.ts";
import { operationsOf } from "./transport_table.ts";

/** How long a daemon may take to write everything back, or to show that it does anything at all. */
const PATIENCE_MS = 10_000;
/** How long the system may take to end a process. */
const KILL_MS = 1000;

/**
 * Detaches as without force where the daemon does its part in time; else gives up on it. A device in use
 * whose daemon does its work goes with its last close.
 *
 * @throws {SystemError} where the kernel refuses
 */
export function detachByForce(
  state: AttachState,
  means: Means,
): void {
  const { states, end } = means;
  const note = noteIn(states, state);
  if (lastingHindrance(state) !== undefined) return giveUp(state, means);
  const isUsed = deviceUsers(state.device).length > 0;
  if (isUsed) return isAtWork(state, states) ? letGo(state, note) : giveUp(state, means);
  // The call may wait for the daemon.
  if (operationsOf(state).isBlockDevice) startLazyDetach(state);
  else letGo(state, note);
  if (end.wait(PATIENCE_MS)) checkOutcome(state, end);
  else giveUp(state, means);
}

interface Means {
  readonly states: StateStore;
  readonly end: DaemonEnd;
}

/** Whether a daemon answers; of one out of sight that is believed. */
function isAtWork(state: AttachState, states: StateStore): boolean {
  if (isOutOfSight(state)) return true;
  try {
    askForSize(state, { states, patienceMs: PATIENCE_MS });
    return true;
  } catch (error) {
    if (error instanceof DaemonSilentError) return false;
    throw error;
  }
}

/**
 * Ends a daemon, and clears away what it served. Requests under way fail, as do all later ones where
 * the device is still in use.
 */
function giveUp(state: AttachState, { states, end }: Means): void {
  const { device, pid } = state;
  ifPossible(() => states.change(state, { isForsaken: true }));
  signalProcess(state, SIGKILL);
  if (!end.wait(KILL_MS)) operationsOf(state).abort(state);
  complain(`${device}: warning: gave up on its daemon (pid ${pid})${restOf(state, end)}`);
  if (operationsOf(state).isBlockDevice) return takeAwayDead(state, states);
  operationsOf(state).clear(state);
  states.remove(state);
}

/** What is still to come of a daemon that was killed. */
function restOf(state: AttachState, end: DaemonEnd): string {
  if (end.hasCome) return "";
  return isOutOfSight(state)
    ? "; it runs in another PID namespace"
    : `; it ends when ${AWAITED[hindranceOf(state) ?? "disk"]}`;
}

const AWAITED: Readonly<Record<Hindrance, string>> = {
  stopped: "it is continued",
  frozen: "its cgroup is thawed",
  disk: "its disk answers",
};
