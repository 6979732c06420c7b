/**
 * Opening in two steps: first a handle (O_PATH), with which nothing is opened yet, then the file that
 * was looked at by that handle, whatever its path leads to meanwhile. Opening by path what may be a
 * pipe would wait for its other end, and opening a tape moves it.
 *
 * @module
 */
import { checked, ENOENT, ESTALE, SystemError } from "./errno.ts";
import {
  Fd,
  fileExists,
  type FileStatus,
  O_CLOEXEC,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  openFile,
  openFileStatus,
  setBlocking,
} from "./files.ts";
import { lastErrno, libc } from "./libc.ts";
import { cString } from "./memory.ts";

/** Where a relative path begins, and whether its last part may be a link. */
interface Start {
  readonly folder: Fd;
  readonly followLinks: boolean;
}

/**
 * A handle on what lies at a relative path.
 *
 * @throws {SystemError} as openat(2)
 */
export function handleIn(path: string, { folder, followLinks }: Start): Fd {
  const flags = O_PATH | O_CLOEXEC | (followLinks ? 0 : O_NOFOLLOW);
  return new Fd(checked(libc().openat(folder.number, cString(path), flags, 0), "open", path));
}

/**
 * Opens the file that `handle`, or any other descriptor, is open on.
 *
 * @param path of the file, for errors, and for where there is no /proc
 * @throws {SystemError} as open(2); ESTALE if that can be found out only by the path, and it leads to
 *   another file by now
 */
export function reopenFile(handle: number, path: string, flags: number): Fd {
  const fd = libc().open(cString(`/proc/self/fd/${handle}`), flags | O_CLOEXEC, 0);
  if (fd >= 0) return new Fd(fd);
  const errno = lastErrno();
  if (errno === ENOENT && !fileExists("/proc/self/fd")) return openSameFile(handle, path, flags);
  throw new SystemError("open", errno, path);
}

/** As {@link reopenFile}, without /proc: what is not the same is opened without waiting, and closed. */
export function openSameFile(handle: number, path: string, flags: number): Fd {
  const file = openFile(path, flags | O_NONBLOCK);
  try {
    if (!isSameFile(openFileStatus(file.number), openFileStatus(handle))) {
      throw new SystemError("open", ESTALE, path);
    }
    setBlocking(file.number);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Whether both are the same file of the same file system. */
export function isSameFile(one: FileStatus, other: FileStatus): boolean {
  return one.exactInode === other.exactInode && one.kind === other.kind &&
    one.deviceMajor === other.deviceMajor && one.deviceMinor === other.deviceMinor;
}
