/**
 * The states of what this user has attached, as far as it is still there.
 *
 * @module
 */
import { type AttachState, isStale, stateDirectory, StateStore } from "../../daemon/state.ts";
import { ifPossible } from "../../sys/errno.ts";
import { complain } from "../../sys/console.ts";

/**
 * What a killed daemon has left behind is listed with a warning, once in the case of a socket, which
 * is cleared away; other stale states are removed.
 */
export async function currentStates(runtimeDirectory: string | undefined): Promise<AttachState[]> {
  const store = new StateStore(stateDirectory(runtimeDirectory));
  store.clearUnfinished();
  const all = store.all();
  const isWorthListing = all.some(isStale) ? await judgeOfStale(store) : undefined;
  const listed = all.filter((state) => !isStale(state) || isWorthListing?.(state) === true);
  listed.filter((state) => state.isUnwatched === true && !isStale(state)).forEach(tellUnwatched);
  const sockets = listed.filter(({ socketInode }) => socketInode !== undefined);
  if (sockets.length > 0) (await import("./lost_sockets.ts")).tellLostSockets(sockets);
  return listed;
}

function tellUnwatched({ device, pid }: AttachState): void {
  const consequence = `if that (pid ${pid}) is killed, all access fails`;
  complain(`${device}: warning: the watcher of its daemon was killed: ${consequence}`);
}

/** What can clear away is not loaded before there is anything to clear away. */
async function judgeOfStale(store: StateStore): Promise<(state: AttachState) => boolean> {
  const { clearLeftOver, isLeftOver } = await import("../../device/dead_devices.ts");
  const { operationsOf } = await import("../../device/transport_table.ts");
  const { hasSysfs } = await import("../../kernel/sysfs_disks.ts");
  return (state) => {
    const { device, pid, nbdIndex, isLeaving } = state;
    // Nobody can say what has become of its device.
    if (nbdIndex !== undefined && !hasSysfs()) return false;
    const { isBlockDevice, failsWithoutDaemon } = operationsOf(state);
    if (isBlockDevice && isLeftOver(state)) {
      const remedy = isLeaving === true
        ? "it is detached when its last user closes it"
        : `detach it with: tslosetup -d ${device}`;
      complain(
        `${device}: warning: its daemon (pid ${pid}) is gone and ${failsWithoutDaemon} fails; ${remedy}`,
      );
      return true;
    }
    const isLeft = isLeftOver(state);
    // Where nothing can be removed (from a file system that is read-only), devices are listed all the same.
    const isCleared = ifPossible(() => {
      clearLeftOver(state, store);
      return true;
    });
    if (isLeft) {
      const outcome = isCleared ? "; removed" : "";
      complain(`${device}: warning: its daemon (pid ${pid}) was killed${outcome}`);
    }
    return false;
  };
}
