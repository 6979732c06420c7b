/**
 * Daemons that do not go on: stopped by a signal or a debugger, or waiting for a disk that does not
 * answer. What waits for their device waits for them, in the kernel, where nothing can end it.
 *
 * @module
 */
import { startLazyDetach } from "../daemon/helpers.ts";
import {
  type Hindrance,
  hindranceOf,
  isRunning,
  signalProcess,
  waitUntilGone,
} from "../daemon/processes.ts";
import type { AttachState, StateStore } from "../daemon/state.ts";
import { libc } from "../sys/libc.ts";
import { SIGKILL } from "../sys/signals.ts";
import { complain } from "../sys/console.ts";
import { clearLeftOver, isLeftOver } from "./dead_devices.ts";
import { operationsOf } from "./transport_table.ts";

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

/**
 * Has the device of a daemon that stands still go as soon as that goes on; another process does it,
 * for the call may not return before.
 *
 * @throws {Error} if the daemon is stopped: nobody knows when it will go on
 */
export function detachWhenAwake(state: AttachState, hindrance: Hindrance): void {
  startLazyDetach(state);
  if (hindrance === "stopped") throw stopped(state);
  const { device, pid } = state;
  complain(`${device}: waiting for its daemon (pid ${pid}), which waits for a disk`);
  waitForDaemon(state);
}

/**
 * Waits until a daemon has written everything back and ended; says so if that takes long.
 *
 * @throws {Error} if it does not end
 */
export function waitForDaemon(state: AttachState): void {
  if (waitUntilGone(state, GRACE_MS)) return;
  const { device, pid } = state;
  let isTold = false;
  for (const deadline = performance.now() + FLUSH_MS; performance.now() < deadline;) {
    if (lastingHindrance(state) === "stopped") throw stopped(state);
    if (!isTold) {
      complain(`${device}: waiting for its daemon (pid ${pid}) to write everything back`);
    }
    isTold = true;
    if (waitUntilGone(state, GRACE_MS)) return;
  }
  throw new Error(`its daemon (pid ${pid}) has not ended`);
}

function stopped({ pid }: AttachState): Error {
  return new Error(
    `its daemon (pid ${pid}) is stopped: kill -CONT ${pid} lets it go on, --force gives up on it`,
  );
}

/**
 * Ends a daemon that stands still, and clears away what it served. Requests under way fail, as do
 * all later ones where the device is still in use.
 *
 * @throws {SystemError} where the kernel refuses
 */
export function giveUp(state: AttachState, states: StateStore): void {
  signalProcess(state, SIGKILL);
  if (!waitUntilGone(state, GRACE_MS)) operationsOf(state).abort(state);
  const rest = isRunning(state) ? "; it ends when its disk answers" : "";
  complain(`${state.device}: warning: gave up on its daemon (pid ${state.pid})${rest}`);
  waitUntilClosed(state);
  clearLeftOver(state, states);
}

/** The socket of a killed process is there until the last of its threads has ended. */
function waitUntilClosed(state: AttachState): void {
  if (operationsOf(state).isBlockDevice) return;
  const deadline = performance.now() + GRACE_MS;
  while (!isLeftOver(state) && performance.now() < deadline) libc().usleep(PAUSE_US);
}
