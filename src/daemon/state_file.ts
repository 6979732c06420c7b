/**
 * The file that a state is in: lines of JSON. The first one has what was known when the device was set
 * up, each further one what has changed since.
 *
 *     /run/tslosetup/nbd0.json     {"version":1,"pid":4711,…}
 *                                  {"sizeBytes":2097152,"sizeChecks":1}
 *
 * Changes are appended, in one write each: whoever reads sees whole lines, and whoever has the file open
 * sees all of them, even those of a daemon that removes it next. So it stays the same file, and its
 * daemon can hold it locked as long as it lives: a lock tells that from everywhere, where a process id
 * says nothing in another PID namespace, or without /proc.
 *
 * @module
 */
import { checked, ifPossible } from "../sys/errno.ts";
import {
  Fd,
  linkStatusIfAny,
  O_APPEND,
  O_CREAT,
  O_EXCL,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  openFile,
  openFileStatus,
  readText,
  removeFile,
  writeText,
} from "../sys/files.ts";
import { isLockedByOthers, isWithoutLocks, tryToLock } from "../sys/file_locks.ts";
import { libc } from "../sys/libc.ts";
import { cString } from "../sys/memory.ts";
import { listenForCommands, removeControlSocket } from "./control/control_socket.ts";

/** The byte that is locked; which one it is means nothing. */
const LOCKED_BYTE = 0;
const SEEK_SET = 0;
const FALLOC_FL_KEEP_SIZE = 1;
/** Room for more than a hundred changes. */
const RESERVED_BYTES = 4096;

/** A file that may have been removed by now, or another one have taken its path. */
export interface FilePlace {
  readonly path: string;
  readonly inode: number;
}

/** The name of an unfinished file tells who writes it. */
function unfinishedPath(folder: string): string {
  const unique = crypto.randomUUID().slice(0, 8);
  return `${folder}/${unique}.${libc().getpid()}.new`;
}

/** A state file that is not yet what readers look for. Whoever has its descriptor holds it locked. */
export class UnfinishedFile implements Disposable {
  readonly #fd: Fd;
  readonly #folder: string;
  #path: string | undefined;
  /** The listening socket on which its daemon is to take commands, if there can be one. */
  readonly control: Fd | undefined;
  /** False where the file system has no locks. */
  readonly isLocked: boolean;

  /** @throws {SystemError} as open(2) */
  constructor(folder: string) {
    this.#folder = folder;
    for (;;) {
      this.#path = unfinishedPath(folder);
      const fd = openFile(this.#path, O_RDWR | O_APPEND | O_CREAT | O_EXCL);
      const isLocked = lock(fd, this.#path);
      // Somebody who cleared up may have taken it for a killed writer's before it was locked.
      if (placeOf(fd, this.#path) !== undefined) {
        this.#fd = fd;
        this.isLocked = isLocked;
        this.control = listenForCommands(folder, openFileStatus(fd.number).inode);
        return;
      }
      fd.close();
    }
  }

  /** For the daemon, which is to hold the lock. */
  get fd(): number {
    return this.#fd.number;
  }

  /** Has readers find it at `path`, with `text` as its first line; what was there is replaced. */
  finish(path: string, text: string): void {
    const unfinished = this.#path ?? "";
    writeText(this.#fd.number, `${text}\n`, unfinished);
    this.#reserveRoom();
    checked(libc().rename(cString(unfinished), cString(path)), "rename", path);
    this.#path = undefined;
  }

  /** For changes to come: what a daemon has to say at its end has to be there on a full disk, too. */
  #reserveRoom(): void {
    const { sizeBytes } = openFileStatus(this.#fd.number);
    libc().fallocate(this.#fd.number, FALLOC_FL_KEEP_SIZE, sizeBytes, RESERVED_BYTES);
  }

  /** Lets go of it, and removes it unless it was finished. */
  [Symbol.dispose](): void {
    const path = this.#path;
    this.#path = undefined;
    if (path !== undefined) ifPossible(() => this.#remove(path));
    this.control?.close();
    this.#fd.close();
  }

  #remove(path: string): void {
    removeControlSocket(this.#folder, openFileStatus(this.#fd.number).inode);
    removeFile(path);
  }
}

function lock(fd: Fd, path: string): boolean {
  try {
    return tryToLock(fd.number, { kind: "exclusive", byte: LOCKED_BYTE, path });
  } catch (error) {
    if (isWithoutLocks(error)) return false;
    throw error;
  }
}

/** Where an open file lies, if it still lies at `path`. */
function placeOf(fd: Fd, path: string): FilePlace | undefined {
  const { inode } = openFileStatus(fd.number);
  const place = { path, inode };
  return isAtItsPlace(place) ? place : undefined;
}

/** Whether that very file is still where it was. */
export function isAtItsPlace({ path, inode }: FilePlace): boolean {
  const status = linkStatusIfAny(path);
  return status?.kind === "file" && status.inode === inode;
}

/** Opens a file if it is still that very one. */
export function openPlace(place: FilePlace, access: "read" | "append"): Fd | undefined {
  const flags = access === "read" ? O_RDONLY : O_WRONLY | O_APPEND;
  const fd = ifPossible(() => openFile(place.path, flags | O_NONBLOCK));
  if (fd === undefined || isThatFile(fd, place)) return fd;
  fd.close();
  return undefined;
}

/** Of a named pipe, say, the content would be waited for. */
function isThatFile(fd: Fd, place: FilePlace): boolean {
  const { kind, inode } = openFileStatus(fd.number);
  return kind === "file" && inode === place.inode;
}

/** Whether anybody holds the file locked. */
export function isHeld(fd: Fd, path: string): boolean {
  try {
    return isLockedByOthers(fd.number, { byte: LOCKED_BYTE, path });
  } catch (error) {
    if (isWithoutLocks(error)) return false;
    throw error;
  }
}

/** As {@link isHeld}; a file that has gone is not held. */
export function isPlaceHeld(place: FilePlace): boolean {
  using fd = openPlace(place, "read");
  return fd !== undefined && isHeld(fd, place.path);
}

/** Adds a line. */
export function appendLine(fd: number, line: object): void {
  writeText(fd, `${JSON.stringify(line)}\n`);
}

/**
 * What the lines of an open file say together, the later ones overriding; undefined if the first one
 * is no JSON.
 *
 * @throws {SystemError} as read(2)
 */
export function readLines(fd: number): object | undefined {
  libc().lseek(fd, 0, SEEK_SET);
  const [first, ...changes] = readText(fd).split("\n").map(parseObject);
  // What does not parse is a line that is being written, or what is behind the last one.
  return first && Object.assign(first, ...changes);
}

function parseObject(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
