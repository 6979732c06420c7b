/**
 * What is left to do when the daemon of a device was killed, and none takes its place.
 *
 * @module
 */
import { Log } from "../sys/log.ts";
import { forgoHeritage } from "../daemon/heritage.ts";
import { waitUntil } from "../daemon/processes.ts";
import { isStale, stateDirectory, StateStore } from "../daemon/state.ts";
import { nodePath } from "../kernel/block_devices.ts";
import { nbdName } from "../kernel/nbd_devices.ts";
import { deviceUsers } from "../kernel/users.ts";
import { failRequests, isOwnNbd } from "./own_nbd.ts";
import { clearRemains } from "./tidy.ts";

/** How long programs may take to close a device that does not answer any more. */
const CLOSE_MS = 60_000;

/** What its watcher knows. */
export interface ReapOptions {
  /** Whether it is in the log that the daemon was killed. */
  readonly isTold: boolean;
  readonly runtimeDirectory: string | undefined;
}

/**
 * Says so in the log, and disconnects an nbd device: requests that were under way fail at once. A device that
 * nobody uses is free again; one that was in use when its daemon died stays listed until it is detached.
 *
 * @returns the exit code
 */
export function reap(device: string, { isTold, runtimeDirectory }: ReapOptions): number {
  forgoHeritage();
  const states = new StateStore(stateDirectory(runtimeDirectory));
  const state = states.find((candidate) => candidate.device === device);
  if (state === undefined || !isStale(state)) return 1;
  if (!isTold) new Log(state.image).error(`the daemon of ${device} (pid ${state.pid}) was killed`);
  const { nbdIndex: index } = state;
  // A FUSE session has ended with its daemon.
  if (index === undefined) return 0;
  if (isOwnNbd(index)) failRequests(index);
  // Looked at once, for its users may leave as soon as they hear of it; but not before, for a request
  // that waits can keep every open waiting.
  const isUsed = deviceUsers(nodePath(nbdName(index))).length > 0;
  if (!isUsed && waitUntil(() => !isOwnNbd(index), CLOSE_MS)) states.remove(state);
  clearRemains();
  return 0;
}
