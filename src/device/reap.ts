/**
 * Disconnecting the device of a daemon that was killed.
 *
 * @module
 */
import { Log } from "../sys/log.ts";
import { isStale, stateDirectory, StateStore } from "../daemon/state.ts";
import { deviceUsers } from "../kernel/users.ts";
import { disconnectDead } from "./own_nbd.ts";
import { clearRemains } from "./tidy.ts";

/**
 * What the watcher does: requests that were under way fail at once. A device that nobody uses is
 * free again; one that is in use stays listed until it is detached.
 *
 * @returns the exit code
 */
export function reap(device: string, runtimeDirectory: string | undefined): number {
  const states = new StateStore(stateDirectory(runtimeDirectory));
  const state = states.find((candidate) => candidate.device === device);
  if (state?.nbdIndex === undefined || !isStale(state)) return 1;
  new Log(state.image).error(`the daemon of ${device} (pid ${state.pid}) was killed`);
  // Those who use it now may be gone by the time it is disconnected, but want to know what happened.
  const isUsed = deviceUsers(device).length > 0;
  if (disconnectDead(state.nbdIndex) && !isUsed) states.remove(state);
  clearRemains();
  return 0;
}
