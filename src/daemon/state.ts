/**
 * State files: what the kernel cannot tell of an attached image. One small file for each daemon; a file
 * whose daemon has gone is stale.
 *
 * @module
 */
import type { ImageView } from "../disk/request.ts";
import { EACCES, ifPossible, SystemError } from "../sys/errno.ts";
import { listDirectory, makeDirectory } from "../sys/directories.ts";
import { linkStatusIfAny, removeFile, replaceFile, temporaryWriter } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { baseName } from "../sys/paths.ts";
import { SERVED_TRANSPORTS, type ServedTransport } from "./served_transport.ts";
import { removeControlSocket, stateInodeOf } from "./control/control_socket.ts";
import { identityOf, isOutOfSight, isRunning, type ProcessIdentity } from "./processes.ts";
import {
  appendLine,
  type FilePlace,
  isAtItsPlace,
  isPlaceHeld,
  openPlace,
  readLines,
  UnfinishedFile,
} from "./state_file.ts";

const SUFFIX = ".json";

/** Whether all that was written is on disk, or some of it may be lost. */
export type Outcome = "saved" | "lost";

/** A file that was opened by a name, whatever it is called by now. */
export interface AttachedFile {
  /** Absolute path. */
  readonly image: string;
  /** The file itself: device numbers and inode. */
  readonly imageDevice: readonly [major: number, minor: number];
  readonly imageInode: number;
}

/** One attached image. */
export interface AttachState extends ProcessIdentity, AttachedFile {
  readonly version: 1;
  /** What the user calls the device: /dev/nbd0, /dev/loop0, or the path of a socket. */
  readonly device: string;
  readonly transport: ServedTransport;
  /** Index of the nbd device, which is below /dev/loopN where there is one. */
  readonly nbdIndex?: number;
  readonly format: string;
  readonly readOnly: boolean;
  /** Size of the device, in bytes. */
  readonly sizeBytes: number;
  readonly offsetBytes: number;
  readonly sizeLimitBytes: number;
  /** The image is shown differently than without options. */
  readonly view?: ImageView;
  /** Whether writes go to a layer of its own, and not to the image. */
  readonly hasOverlay?: boolean;
  /** The layer, if it is a file that stays. */
  readonly overlay?: AttachedFile;
  /** Name of the line in a table that it is attached for. */
  readonly tabName?: string;
  /** Whether its partitions were asked for. */
  readonly partScan?: boolean;
  /**
   * /sys/block/DEVICE/diskseq of a loop device: another number means another attachment. Kernels
   * before 5.15 have none.
   */
  readonly diskSequence?: string;
  /** Number of the FUSE connection (kernel/fuse_control.ts), for the transports fuse and view. */
  readonly fuseConnection?: number;
  /** Inode of the socket at `device`, for the transport socket. */
  readonly socketInode?: number;
  /** How often the daemon was asked to look at the image's size. */
  readonly sizeChecks?: number;
  /** Whether it was told to go, and does with its last close, or its last client. */
  readonly isLeaving?: boolean;
  /** How often another daemon has taken the place of one that was killed. */
  readonly revivals?: number;
  /** Whether the watcher that would start another one has gone. */
  readonly isUnwatched?: boolean;
  /** Whether it was given up on its daemon: none shall take that one's place. */
  readonly isForsaken?: boolean;
  /** The last word of its daemon. */
  readonly outcome?: Outcome;
  /** Whether its daemon holds the file of this state locked: whether it lives, that tells. */
  readonly isHeld?: boolean;
  /** Where this was read from; not in the file. */
  readonly file?: FilePlace;
}

/** Where root's state files are. */
export const ROOT_STATES = "/run/tslosetup";

/** Where this user's state files are. */
export function stateDirectory(runtimeDirectory: string | undefined): string {
  const uid = libc().geteuid();
  if (uid === 0) return ROOT_STATES;
  // "If an implementation encounters a relative path [...] it should [...] ignore it" (XDG).
  const isAbsolute = runtimeDirectory?.startsWith("/") === true;
  return isAbsolute ? `${runtimeDirectory}/tslosetup` : `/tmp/tslosetup-${uid}`;
}

/** The state files in a folder. */
export class StateStore {
  constructor(readonly directory: string) {}

  /**
   * Makes the folder, or makes sure that nobody else could have put files into it, and clears it.
   *
   * @throws {SystemError} EACCES if it belongs to somebody else
   */
  prepare(): void {
    makeDirectory(this.directory, 0o700);
    if (!this.#isTrusted()) throw new SystemError("open", EACCES, this.directory);
    this.clearUnfinished();
  }

  /** Whether the folder is this user's, and nobody else could have put anything into it. */
  #isTrusted(): boolean {
    const status = linkStatusIfAny(this.directory);
    return status?.kind === "directory" && status.uid === libc().geteuid() &&
      (status.mode & 0o022) === 0;
  }

  /** Everything attached by this user, stale states included, sorted by device. */
  all(): AttachState[] {
    return this.#places()
      .filter(({ path }) => path.endsWith(SUFFIX))
      .map(readState)
      .filter((state) => state !== undefined)
      .sort((a, b) => compareDevices(a.device, b.device));
  }

  /** The files in the folder, by name. */
  #places(): FilePlace[] {
    if (!this.#isTrusted()) return [];
    return listDirectory(this.directory).flatMap((name) => {
      const path = `${this.directory}/${name}`;
      const status = linkStatusIfAny(path);
      return status?.kind === "file" ? [{ path, inode: status.inode }] : [];
    });
  }

  /** Removes what processes that were killed while writing a state have left. */
  clearUnfinished(): void {
    for (const place of this.#places()) {
      const writer = temporaryWriter(place.path);
      const isLeft = writer !== undefined && identityOf(writer) === undefined &&
        !isPlaceHeld(place);
      // Where nothing can be removed, it does no harm.
      if (isLeft) ifPossible(() => removeFile(place.path));
    }
    this.#clearControlSockets();
  }

  /** Removes the control sockets of daemons whose state files have gone. */
  #clearControlSockets(): void {
    if (!this.#isTrusted()) return;
    // First these: a state file is there before its socket.
    const sockets = listDirectory(this.directory).map(stateInodeOf)
      .filter((inode) => inode !== undefined);
    const held = new Set(this.#places().map(({ inode }) => inode));
    for (const inode of sockets) {
      if (!held.has(inode)) ifPossible(() => removeControlSocket(this.directory, inode));
    }
  }

  /** The file of a state that is not known yet, for its daemon to hold. */
  begin(): UnfinishedFile {
    return new UnfinishedFile(this.directory);
  }

  /** @param file what its daemon holds; without one, only the process id will tell whether it lives */
  write(state: AttachState, file?: UnfinishedFile): void {
    this.forgetKilled(state.device);
    const { file: _place, ...content } = { ...state, isHeld: file?.isLocked === true };
    const text = JSON.stringify(content);
    if (file === undefined) replaceFile(this.#path(state), `${text}\n`);
    else file.finish(this.#path(state), text);
  }

  /** Adds what has changed to a state that was read. */
  change({ file }: AttachState, changes: Partial<AttachState>): void {
    if (file === undefined) return;
    using fd = openPlace(file, "append");
    if (fd !== undefined) appendLine(fd.number, changes);
  }

  /** A state that was read, as it is now; undefined if it has been removed. */
  reread({ file }: AttachState): AttachState | undefined {
    return file && readState(file);
  }

  /** Removes what killed daemons of a device or socket have left: it is another's now. */
  forgetKilled(device: string): void {
    const killed = this.all().filter((state) => state.device === device && isStale(state));
    for (const state of killed) this.remove(state);
  }

  /** Removes the file of a state, but not another one that has taken its place. */
  remove(state: AttachState): void {
    const { file } = state;
    if (file === undefined) return removeFile(this.#path(state));
    if (!isAtItsPlace(file)) return;
    removeControlSocket(this.directory, file.inode);
    removeFile(file.path);
  }

  /** Removes a file, whatever it is called by now. */
  removeFile(inode: number): void {
    removeControlSocket(this.directory, inode);
    for (const place of this.#places()) if (place.inode === inode) removeFile(place.path);
  }

  /** The state that `isIt` holds for; of a running daemon, if there are several. */
  find(isIt: (state: AttachState) => boolean): AttachState | undefined {
    const found = this.all().filter(isIt);
    return found.find((state) => !isStale(state)) ?? found[0];
  }

  #path(state: AttachState): string {
    return `${this.directory}/${FILE_NAMES[state.transport](state)}${SUFFIX}`;
  }
}

/** After the kernel's device that the daemon itself serves; a socket's path would be too long. */
const FILE_NAMES: Readonly<Record<ServedTransport, (state: AttachState) => string>> = {
  nbd: ({ nbdIndex }) => `nbd${nbdIndex}`,
  fuse: ({ device }) => baseName(device),
  view: ({ device }) => baseName(device),
  socket: ({ pid, pidNamespace = 0 }) => `socket-${pid}-${pidNamespace}`,
};

/** Whether the daemon that a state speaks of has gone, as far as that can be told. */
export function isStale(state: AttachState): boolean {
  if (state.isHeld === true && state.file !== undefined) return !isPlaceHeld(state.file);
  return !isRunning(state) && !isOutOfSight(state);
}

/** By name, numbers in it by value: nbd2 comes before nbd10. */
function compareDevices(a: string, b: string): number {
  const [left, right] = [sortKey(a), sortKey(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** With all numbers equally long. (A collator that could do so takes 15 ms to load.) */
function sortKey(device: string): string {
  return device.replace(/\d+/g, (digits) => digits.padStart(16, "0"));
}

/** The state in a file, if there is one, and it is that very file. */
export function readState(file: FilePlace): AttachState | undefined {
  using fd = openPlace(file, "read");
  const state: Partial<AttachState> | undefined = fd && readLines(fd.number);
  return isComplete(state) ? { ...state, file } : undefined;
}

/** Whether that is all of a state. */
export function isComplete(state: Partial<AttachState> | undefined): state is AttachState {
  return state?.version === 1 && typeof state.pid === "number" &&
    typeof state.device === "string" && typeof state.image === "string" &&
    SERVED_TRANSPORTS.some((transport) => transport === state.transport);
}
