/**
 * Files that have no name, or none yet: of a process that is killed, nothing is left then.
 *
 * @module
 */
import { checked, EISDIR, ENOENT, EOPNOTSUPP, EPERM, SystemError } from "./errno.ts";
import {
  type Fd,
  fileExists,
  O_CREAT,
  O_EXCL,
  O_RDWR,
  O_TMPFILE,
  openFile,
  removeFile,
} from "./files.ts";
import { libc } from "./libc.ts";
import { cString } from "./memory.ts";
import { folderOf } from "./paths.ts";

/** Of file systems, and kernels, that have no such files. */
const UNSUPPORTED: readonly number[] = [EOPNOTSUPP, EISDIR, ENOENT];
/** Of file systems without links. */
const NO_LINKS: readonly number[] = [EOPNOTSUPP, EPERM];

const AT_FDCWD = -100;
const AT_SYMLINK_FOLLOW = 0x400;

/**
 * A file in the file system of `folder` that never has a name; mode 600.
 *
 * @throws {SystemError} as open(2)
 */
export function unnamedFile(folder: string): Fd {
  const unnamed = openUnnamed(folder, O_EXCL);
  if (unnamed !== undefined) return unnamed;
  const path = passingName(folder);
  const fd = openFile(path, O_RDWR | O_CREAT | O_EXCL);
  removeFile(path);
  return fd;
}

/** @returns undefined where there can be none */
function openUnnamed(folder: string, flags: number, mode?: number): Fd | undefined {
  try {
    return openFile(folder, O_RDWR | O_TMPFILE | flags, mode);
  } catch (error) {
    if (error instanceof SystemError && UNSUPPORTED.includes(error.errno)) return undefined;
    throw error;
  }
}

function passingName(folder: string): string {
  return `${folder}/.tslosetup-${crypto.randomUUID()}`;
}

/** A file that gets its name when it is complete. */
export class NewFile implements Disposable {
  readonly path: string;
  readonly fd: Fd;
  /** The name that it has until then, where it has to have one. */
  #passing: string | undefined;

  /**
   * @param path where it will be
   * @param mode as for open(2)
   * @throws {SystemError} as open(2)
   */
  constructor(path: string, mode: number) {
    this.path = path;
    const folder = folderOf(path);
    const unnamed = openUnnamed(folder, 0, mode);
    if (unnamed === undefined) this.#passing = passingName(folder);
    this.fd = unnamed ?? openFile(this.#passing ?? "", O_RDWR | O_CREAT | O_EXCL, mode);
  }

  /**
   * Gives it its name, which nothing else has: durably, with all that was written.
   *
   * @throws {SystemError} as fsync(2) and link(2), EEXIST among them
   */
  publish(): void {
    checked(libc().fsync(this.fd.number), "fsync", this.path);
    if (this.#passing === undefined) this.#link(`/proc/self/fd/${this.fd.number}`);
    else this.#giveName(this.#passing);
    this.#passing = undefined;
    using folder = openFile(folderOf(this.path), 0);
    checked(libc().fsync(folder.number), "fsync", folderOf(this.path));
  }

  #link(from: string): void {
    const [old, path] = [cString(from), cString(this.path)];
    checked(libc().linkat(AT_FDCWD, old, AT_FDCWD, path, AT_SYMLINK_FOLLOW), "link", this.path);
  }

  #giveName(passing: string): void {
    try {
      this.#link(passing);
      removeFile(passing);
    } catch (error) {
      const hasNoLinks = error instanceof SystemError && NO_LINKS.includes(error.errno);
      if (!hasNoLinks || fileExists(this.path)) throw error;
      checked(libc().rename(cString(passing), cString(this.path)), "rename", this.path);
    }
  }

  /** Removes it if it has no name yet; its descriptor stays open. */
  [Symbol.dispose](): void {
    if (this.#passing !== undefined) removeFile(this.#passing);
    this.#passing = undefined;
  }
}
