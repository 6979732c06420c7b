/**
 * Daemons whose socket somebody has removed: they serve who is connected, and nobody else will be.
 *
 * @module
 */
import { idHere } from "../../daemon/processes.ts";
import type { AttachState } from "../../daemon/state.ts";
import { complain } from "../../sys/console.ts";
import { fileStatusIfAny } from "../../sys/files.ts";
import { folderOf } from "../../sys/paths.ts";
import { isSameSocket } from "../../sys/sockets.ts";

/** Warns of those among states of sockets, as far as their paths mean here what they mean to the daemon. */
export function tellLostSockets(states: readonly AttachState[]): void {
  for (const { device } of states.filter(isLost)) {
    complain(
      `${device}: warning: the socket was removed: no client can connect any more; ` +
        `end its daemon with: tslosetup -d ${device}`,
    );
  }
}

function isLost(state: AttachState): boolean {
  const { device: path, socketInode: inode } = state;
  if (inode === undefined || isSameSocket({ path, inode })) return false;
  // In a container, or a folder that is not there, the path may be another one.
  return idHere(state) === state.pid && fileStatusIfAny(folderOf(path)) !== undefined;
}
