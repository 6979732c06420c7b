/**
 * What a killed daemon leaves behind: a device on which everything fails, or a socket nobody
 * listens on.
 *
 * @module
 */
import { waitUntil } from "../daemon/processes.ts";
import type { AttachState, StateStore } from "../daemon/state.ts";
import { complain } from "../sys/console.ts";
import { ifPossible } from "../sys/errno.ts";
import { operationsOf } from "./transport_table.ts";

/** Whether what a dead daemon served is still there, and not somebody else's by now. */
export function isLeftOver(state: AttachState): boolean {
  return operationsOf(state).isLeftOver(state);
}

/** How long udev may look at a device that goes. */
const LOOK_MS = 1000;

/**
 * Clears away what a dead daemon has left behind. A device that somebody still has open is said to be, and its
 * state stays: without it, it would be listed as if it were an ordinary one.
 */
export function takeAwayDead(state: AttachState, states: StateStore): void {
  if (isLeftOver(state)) operationsOf(state).clear(state);
  if (waitUntil(() => !isLeftOver(state), LOOK_MS)) return states.remove(state);
  ifPossible(() => states.change(state, { isLeaving: true }));
  tellStillOpen(state.device);
}

const STILL_OPEN = "still open; it is detached when its last user closes it";

/** Says so of a device that its users cannot be expected to have open. */
export function tellStillOpen(device: string): void {
  complain(`${device}: warning: ${STILL_OPEN}`);
}

/** Says so of one that is in use, to those who want to know: losetup says nothing. */
export function tellOpen(device: string): void {
  complain(`${device}: ${STILL_OPEN}`);
}

/** Clears away what a dead daemon has left behind, and its state. */
export function clearLeftOver(state: AttachState, states: StateStore): void {
  if (isLeftOver(state)) operationsOf(state).clear(state);
  states.remove(state);
}
