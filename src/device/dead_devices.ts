/**
 * What a killed daemon leaves behind: a device on which everything fails, or a socket nobody
 * listens on.
 *
 * @module
 */
import type { AttachState, StateStore } from "../daemon/state.ts";
import { operationsOf } from "./transport_table.ts";

/** Whether what a dead daemon served is still there, and not somebody else's by now. */
export function isLeftOver(state: AttachState): boolean {
  return operationsOf(state).isLeftOver(state);
}

/** Clears away what a dead daemon has left behind, and its state. */
export function clearLeftOver(state: AttachState, states: StateStore): void {
  if (isLeftOver(state)) operationsOf(state).clear(state);
  states.remove(state);
}
