/**
 * FUSE mounts that are nowhere: the file system is reached through a descriptor only, no path leads
 * to it, and it ends with its last open file.
 *
 * @module
 */
import { checked, ENODEV, ENOENT, SystemError } from "../sys/errno.ts";
import { Fd, O_CLOEXEC, O_RDONLY, O_RDWR, openFile } from "../sys/files.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import { addressOf, cString } from "../sys/memory.ts";
import { KernelFeatureError } from "./modules.ts";

const DEVICE = "/dev/fuse";

/** System calls of kernel 5.2, the same on x86-64 and arm64 (asm-generic/unistd.h). */
const SYSCALL = { fsopen: 430, fsconfig: 431, fsmount: 432 } as const;
// linux/mount.h
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const MOUNT_ATTR = { readOnly: 1, noSuid: 2, noDev: 4, noExec: 8 } as const;

/** Type of the root node: a folder (S_IFDIR, octal). */
const ROOT_MODE = "40000";

/**
 * Opens the FUSE device, over which the server of one mount talks to the kernel.
 *
 * @throws {KernelFeatureError} where the kernel has no FUSE
 * @throws {SystemError} EACCES or EPERM for want of privilege
 */
export function openFuseDevice(): Fd {
  try {
    return openFile(DEVICE, O_RDWR);
  } catch (error) {
    const missing = error instanceof SystemError &&
      (error.errno === ENOENT || error.errno === ENODEV);
    if (!missing) throw error;
    throw new KernelFeatureError("fuse", "this kernel has no FUSE (/dev/fuse)");
  }
}

/**
 * Mounts the file system that is served over `device`, attached to no path. Its server may start
 * later: only the first look-up waits for it.
 *
 * @param type shown as the file system's type, `fuse.TYPE`
 * @returns a descriptor of its root; the mount lasts as long as that or a file of it is open
 * @throws {SystemError} EPERM without CAP_SYS_ADMIN, ENOSYS before kernel 5.2
 */
export function mountDetached(device: Fd, type: string): Fd {
  using context = fsopen();
  const parameters = {
    source: type,
    subtype: type,
    fd: String(device.number),
    rootmode: ROOT_MODE,
    user_id: String(libc().geteuid()),
    group_id: "0",
  };
  for (const [key, value] of Object.entries(parameters)) setParameter(context, key, value);
  call("fsconfig", context.number, FSCONFIG_CMD_CREATE, 0, 0, 0);
  const attributes = MOUNT_ATTR.noSuid | MOUNT_ATTR.noDev | MOUNT_ATTR.noExec;
  return new Fd(call("fsmount", context.number, FSMOUNT_CLOEXEC, attributes));
}

function fsopen(): Fd {
  const name = cString("fuse");
  return new Fd(call("fsopen", addressOf(name), FSOPEN_CLOEXEC));
}

function setParameter(context: Fd, key: string, value: string): void {
  const name = cString(key);
  const text = cString(value);
  const { number } = context;
  call("fsconfig", number, FSCONFIG_SET_STRING, addressOf(name), addressOf(text), 0);
}

function call(name: keyof typeof SYSCALL, ...args: readonly number[]): number {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = args;
  const result = Number(libc().syscall(SYSCALL[name], a, b, c, d, e, 0));
  if (result < 0) throw new SystemError(name, lastErrno());
  return result;
}

/**
 * Opens a file of a detached mount.
 *
 * @param root what {@link mountDetached} returned
 * @param path relative to the root
 * @throws {SystemError} as openat(2); ENOTCONN if the server has gone
 */
export function openInMount(root: Fd, path: string, options: { readOnly: boolean }): Fd {
  const flags = (options.readOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC;
  return new Fd(checked(libc().openat(root.number, cString(path), flags, 0), "open", path));
}
