/**
 * Telling a device to go with its last close, or to stay.
 *
 * @module
 */
import { type AttachState, isStale, stateDirectory, StateStore } from "../daemon/state.ts";
import { ifPossible } from "../sys/errno.ts";
import { operationsOf } from "./transport_table.ts";

/** Notes whether a device is about to go, for listings to say so. */
export type Note = (changes: Required<Pick<AttachState, "isLeaving">>) => void;

/** The note of a command, in the state file. */
export function noteIn(states: StateStore, state: AttachState): Note {
  return (changes) => states.change(state, changes);
}

/**
 * Has a device go, and notes that it is about to. Of one that nobody uses, this may take its time.
 *
 * @param go what has it go, where that is not all that detaching one takes
 */
export function letGo(
  state: AttachState,
  note: Note,
  go: () => void = () => operationsOf(state).detach(state),
): void {
  tryToNote(note, true);
  try {
    go();
  } catch (error) {
    tryToNote(note, false);
    throw error;
  }
}

/** Has a device stay that may have been told to go. */
export function haveStay(state: AttachState, note: Note): void {
  operationsOf(state).keep(state);
  if (state.isLeaving === true) tryToNote(note, false);
}

/** A full disk keeps no device from going, or from staying. */
function tryToNote(note: Note, isLeaving: boolean): void {
  ifPossible(() => note({ isLeaving }));
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
  letGo(state, noteIn(states, state));
  return 0;
}
