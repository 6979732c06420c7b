/**
 * Mounts without a path: such a file system can be reached through a descriptor only, and it ends when
 * the last of its descriptors is closed.
 *
 * @module
 */
import { checked, ENOSYS, SystemError } from "../sys/errno.ts";
import { type Fd, O_PATH, openFile } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { cString } from "../sys/memory.ts";
import { mountNowhere, type MountRequest } from "./mount_api.ts";

// sys/mount.h
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const MNT_DETACH = 2;

/**
 * Mounts a file system, without setuid and programs, attached to no path.
 *
 * @returns a descriptor of its root; the mount lasts as long as that or a file of it is open
 * @throws {SystemError} EPERM without CAP_SYS_ADMIN, else as fsconfig(2) or mount(2)
 */
export function mountDetached(request: MountRequest): Fd {
  try {
    return mountNowhere(request);
  } catch (error) {
    if (!(error instanceof SystemError && error.errno === ENOSYS)) throw error;
    return mountAndDetach(request);
  }
}

/**
 * What there was before kernel 5.2: mounted on a folder for a moment, and lazily unmounted while
 * its root is open.
 */
function mountAndDetach({ type, subtype, parameters, devices }: MountRequest): Fd {
  const folder = `/tmp/.tslosetup-${crypto.randomUUID()}`;
  const path = cString(folder);
  checked(libc().mkdir(path, 0o700), "mkdir", folder);
  try {
    const data = Object.entries(parameters).map((pair) => pair.join("=")).join(",");
    const fileSystem = subtype === undefined ? type : `${type}.${subtype}`;
    const flags = MS_NOSUID | MS_NOEXEC | (devices ? 0 : MS_NODEV);
    const source = cString(subtype ?? type);
    const result = libc().mount(source, path, cString(fileSystem), flags, cString(data));
    checked(result, "mount", folder);
    try {
      return openFile(folder, O_PATH);
    } finally {
      checked(libc().umount2(path, MNT_DETACH), "umount", folder);
    }
  } finally {
    libc().rmdir(path);
  }
}
