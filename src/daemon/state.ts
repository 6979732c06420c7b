/**
 * State files: what the kernel cannot tell of an attached image. One small JSON file for each
 * daemon; a file whose daemon has gone is stale.
 *
 * @module
 */
import { EACCES, ifPossible, SystemError } from "../sys/errno.ts";
import {
  linkStatusIfAny,
  listDirectory,
  makeDirectory,
  readTextIfAny,
  removeFile,
  replaceFile,
  temporaryWriter,
} from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { SERVED_TRANSPORTS, type ServedTransport } from "./job.ts";
import { identityOf, isRunning, type ProcessIdentity } from "./processes.ts";

const SUFFIX = ".json";

/** What was asked for that decides which bytes an image shows. */
export interface ImageView {
  /** Identifier or name of the internal snapshot, as given. */
  readonly snapshot?: string;
  readonly noBacking?: true;
  readonly backingFormat?: string;
  readonly force?: true;
}

/** One attached image. */
export interface AttachState extends ProcessIdentity {
  readonly version: 1;
  /** What the user calls the device: /dev/nbd0, /dev/loop0, or the path of a socket. */
  readonly device: string;
  readonly transport: ServedTransport;
  /** Index of the nbd device, which is below /dev/loopN where there is one. */
  readonly nbdIndex?: number;
  readonly image: string;
  /** The image file itself, whatever it is called: device numbers and inode. */
  readonly imageDevice: readonly [major: number, minor: number];
  readonly imageInode: number;
  readonly format: string;
  readonly readOnly: boolean;
  /** Size of the device, in bytes. */
  readonly sizeBytes: number;
  readonly offsetBytes: number;
  readonly sizeLimitBytes: number;
  /** The image is shown differently than without options. */
  readonly view?: ImageView;
  /** Whether its partitions were asked for. */
  readonly partScan?: boolean;
  /**
   * /sys/block/DEVICE/diskseq of a loop device: another number means another attachment. Kernels
   * before 5.15 have none.
   */
  readonly diskSequence?: string;
  /** Number of the FUSE connection (kernel/fuse_control.ts), for the transport fuse. */
  readonly fuseConnection?: number;
  /** Inode of the socket at `device`, for the transport socket. */
  readonly socketInode?: number;
  /** How often the daemon was asked to look at the image's size. */
  readonly sizeChecks?: number;
}

/** Where this user's state files are. */
export function stateDirectory(runtimeDirectory: string | undefined): string {
  const uid = libc().geteuid();
  if (uid === 0) return "/run/tslosetup";
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
    if (!this.#isTrusted()) return [];
    return listDirectory(this.directory)
      .filter((name) => name.endsWith(SUFFIX))
      .map((name) => `${this.directory}/${name}`)
      // Of a named pipe, say, the content would be waited for.
      .filter((path) => linkStatusIfAny(path)?.kind === "file")
      .map((path) => parseState(readTextIfAny(path) ?? ""))
      .filter((state) => state !== undefined)
      .sort((a, b) => compareDevices(a.device, b.device));
  }

  /** Removes what processes that were killed while writing a state have left. */
  clearUnfinished(): void {
    if (!this.#isTrusted()) return;
    for (const name of listDirectory(this.directory)) {
      const writer = temporaryWriter(name);
      const isLeft = writer !== undefined && identityOf(writer) === undefined;
      // Where nothing can be removed, it does no harm.
      if (isLeft) ifPossible(() => removeFile(`${this.directory}/${name}`));
    }
  }

  write(state: AttachState): void {
    this.forgetKilled(state.device, state.pid);
    replaceFile(this.#path(state), JSON.stringify(state) + "\n");
  }

  /**
   * Removes what killed daemons of the same device or socket have left: it is another's now.
   *
   * @param pid the daemon of that device, if it has one
   */
  forgetKilled(device: string, pid?: number): void {
    const isKilled = (other: AttachState): boolean =>
      other.device === device && other.pid !== pid && isStale(other);
    for (const other of this.all().filter(isKilled)) this.remove(other);
  }

  remove(state: AttachState): void {
    removeFile(this.#path(state));
  }

  /** The state that `isIt` holds for; of a running daemon, if there are several. */
  find(isIt: (state: AttachState) => boolean): AttachState | undefined {
    const found = this.all().filter(isIt);
    return found.find((state) => !isStale(state)) ?? found[0];
  }

  /** The state of the daemon with this process id. */
  ofProcess(pid: number): AttachState | undefined {
    return this.all().find((state) => state.pid === pid);
  }

  #path(state: AttachState): string {
    return `${this.directory}/${FILE_NAMES[state.transport](state)}${SUFFIX}`;
  }
}

/** After the kernel's device that the daemon itself serves; a socket's path would be too long. */
const FILE_NAMES: Readonly<Record<ServedTransport, (state: AttachState) => string>> = {
  nbd: ({ nbdIndex }) => `nbd${nbdIndex}`,
  fuse: ({ device }) => device.slice(device.lastIndexOf("/") + 1),
  socket: ({ pid }) => `socket-${pid}`,
};

/** Whether the daemon that a state speaks of has gone. */
export function isStale(state: AttachState): boolean {
  return !isRunning(state);
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

function parseState(text: string): AttachState | undefined {
  try {
    const state = JSON.parse(text) as Partial<AttachState>;
    const isComplete = state.version === 1 && typeof state.pid === "number" &&
      typeof state.device === "string" && typeof state.image === "string" &&
      SERVED_TRANSPORTS.some((transport) => transport === state.transport);
    return isComplete ? state as AttachState : undefined;
  } catch {
    return undefined;
  }
}
