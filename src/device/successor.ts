/**
 * Waiting for the daemon that takes the place of one that was killed.
 *
 * @module
 */
import { isOutOfSight, isRunning, waitUntil } from "../daemon/processes.ts";
import { type AttachState, isStale, type StateStore } from "../daemon/state.ts";

/**
 * How long one may take to be there: the next one opens the images, and does what the killed one had answered.
 * That is a second mostly; half a minute was seen on machines that were busy.
 */
const PATIENCE_MS = 60_000;

/**
 * A state whose daemon is there, or will never be again. A device that goes before the next daemon is there
 * would take along what the killed one had answered, and not written back.
 *
 * @returns undefined if it has gone meanwhile; after a while without another daemon, the state as it is
 */
export function withSuccessor(state: AttachState, states: StateStore): AttachState | undefined {
  if (!awaitsSuccessor(state)) return state;
  waitUntil(() => {
    const current = states.reread(state);
    return current === undefined || !awaitsSuccessor(current);
  }, PATIENCE_MS);
  return states.reread(state);
}

/** Whether the daemon was killed, and somebody is there who starts another one: its watcher holds the state. */
function awaitsSuccessor(state: AttachState): boolean {
  return state.isHeld === true && !isRunning(state) && !isOutOfSight(state) && !isStale(state);
}
