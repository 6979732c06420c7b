/**
 * The states of what this user has attached, as far as it is still there.
 *
 * @module
 */
import { type AttachState, isStale, stateDirectory, StateStore } from "../../daemon/state.ts";
import { complain } from "../console.ts";
import { clearLeftOver, isLeftOver } from "../dead_devices.ts";

/**
 * What a killed daemon has left behind is listed with a warning, once in the case of a socket, which
 * is cleared away; other stale states are removed.
 */
export function currentStates(runtimeDirectory: string | undefined): AttachState[] {
  const store = new StateStore(stateDirectory(runtimeDirectory));
  return store.all().filter((state) => !isStale(state) || isWorthListing(state, store));
}

/** Of a daemon that has gone. */
function isWorthListing(state: AttachState, store: StateStore): boolean {
  const { device, pid } = state;
  if (state.transport !== "socket" && isLeftOver(state)) {
    complain(
      `${device}: warning: its daemon (pid ${pid}) is gone and all access fails; ` +
        `detach it with: tslosetup -d ${device}`,
    );
    return true;
  }
  if (isLeftOver(state)) {
    complain(`${device}: warning: its daemon (pid ${pid}) was killed; removed`);
  }
  clearLeftOver(state, store);
  return false;
}
