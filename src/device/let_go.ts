/**
 * Telling a device to go with its last close, or to stay.
 *
 * @module
 */
import { type AttachState, isStale, stateDirectory, StateStore } from "../daemon/state.ts";
import { operationsOf } from "./transport_table.ts";

/** Has a device go, and notes that it is about to. Of one that nobody uses, this may take its time. */
export function letGo(state: AttachState, states: StateStore): void {
  states.change(state, { isLeaving: true });
  try {
    operationsOf(state).detach(state);
  } catch (error) {
    states.change(state, { isLeaving: false });
    throw error;
  }
}

/** Has a device stay that may have been told to go. */
export function haveStay(state: AttachState, states: StateStore): void {
  operationsOf(state).keep(state);
  if (state.isLeaving === true) states.change(state, { isLeaving: false });
}

/**
 * What a command's helper does where the command cannot wait: the device goes with its last close.
 *
 * @returns the exit code
 */
export function detachLazily(device: string, runtimeDirectory: string | undefined): number {
  const states = new StateStore(stateDirectory(runtimeDirectory));
  const state = states.find((candidate) => candidate.device === device);
  if (state === undefined || isStale(state)) return 1;
  letGo(state, states);
  return 0;
}
