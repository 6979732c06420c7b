/**
 * The kernel's handles on FUSE connections: the file system fusectl, with a folder for each.
 *
 * @module
 */
import { checked, ENOSYS, SystemError } from "../sys/errno.ts";
import {
  Fd,
  O_CLOEXEC,
  O_PATH,
  O_WRONLY,
  openFile,
  openFileStatus,
  writeText,
} from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { cString } from "../sys/memory.ts";
import { mountNowhere } from "./mount_api.ts";

/** Where systemd mounts it; needed before kernel 5.2 only. */
const USUAL_PLACE = "/sys/fs/fuse/connections";

/**
 * Number of the connection that serves an open file: the minor number of its file system's device.
 *
 * @throws {SystemError} as statx(2)
 */
export function fuseConnectionOf(file: Fd): number {
  return openFileStatus(file.number).deviceMinor;
}

/**
 * Ends a connection whatever its server does: all its requests fail, now and from now on.
 *
 * @throws {SystemError} ENOENT if there is no such connection, EPERM without CAP_SYS_ADMIN
 */
export function abortFuseConnection(connection: number): void {
  using root = openControl();
  const path = `${connection}/abort`;
  const flags = O_WRONLY | O_CLOEXEC;
  using abort = new Fd(checked(libc().openat(root.number, cString(path), flags, 0), "open", path));
  writeText(abort.number, "1");
}

function openControl(): Fd {
  try {
    return mountNowhere({ type: "fusectl", parameters: {}, devices: false });
  } catch (error) {
    if (!(error instanceof SystemError && error.errno === ENOSYS)) throw error;
    return openFile(USUAL_PLACE, O_PATH);
  }
}
