/**
 * Sockets whose daemon's state file has been removed, with its folder perhaps: the kernel knows
 * which process listens, and that process still has its state file open.
 *
 * @module
 */
import { daemonWords } from "../daemon/daemon_words.ts";
import { identityOf } from "../daemon/processes.ts";
import { type AttachState, readState, type StateStore } from "../daemon/state.ts";
import { RAW } from "../image/formats.ts";
import { ifPossible } from "../sys/errno.ts";
import { listDirectory } from "../sys/directories.ts";
import { fileStatusIfAny, linkStatus } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { readLink } from "../sys/paths.ts";
import { listenerOf } from "../sys/sockets.ts";

/** The state of the daemon of this user that listens at `path`, if one does. */
export function lostState(path: string, states: StateStore): AttachState | undefined {
  const listener = listenerOf(path);
  if (listener === undefined || listener.uid !== libc().geteuid()) return undefined;
  const { pid } = listener;
  if (daemonWords(pid) === undefined) return undefined;
  return heldState(pid, { path, states }) ?? makeshiftState(pid, path);
}

/** What a daemon holds, read by way of its descriptor. */
function heldState(
  pid: number,
  { path, states }: { readonly path: string; readonly states: StateStore },
): AttachState | undefined {
  const folder = `/proc/${pid}/fd`;
  return listDirectory(folder)
    .map((name) => `${folder}/${name}`)
    // Anything else, such as an image, may say whatever it likes.
    .filter((link) => ifPossible(() => readLink(link))?.startsWith(`${states.directory}/`) === true)
    .map((link) => readState({ path: link, inode: fileStatusIfAny(link)?.inode ?? -1 }))
    .find((state) => state?.device === path);
}

/** All that has to be known of a daemon to end it. */
function makeshiftState(pid: number, path: string): AttachState {
  return {
    version: 1,
    ...identityOf(pid) ?? { pid, startTime: 0 },
    device: path,
    transport: "socket",
    socketInode: linkStatus(path).inode,
    image: "",
    imageDevice: [0, 0],
    imageInode: 0,
    format: RAW.name,
    readOnly: true,
    sizeBytes: 0,
    offsetBytes: 0,
    sizeLimitBytes: 0,
  };
}
