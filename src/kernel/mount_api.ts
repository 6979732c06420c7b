/**
 * The system calls of kernel 5.2 that make a mount without a place for it: fsopen(2) and its kin.
 *
 * @module
 */
import { SystemError } from "../sys/errno.ts";
import { Fd } from "../sys/files.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import { addressOf, cString } from "../sys/memory.ts";

/** The same numbers on x86-64 and arm64 (asm-generic/unistd.h). */
const SYSCALL = { fsopen: 430, fsconfig: 431, fsmount: 432 } as const;
// linux/mount.h
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const MOUNT_ATTR = { noSuid: 2, noDev: 4, noExec: 8 } as const;

/** What to mount. */
export interface MountRequest {
  /** The file system, as in /proc/filesystems. */
  readonly type: string;
  /** What the mount calls itself: shown as the type, `TYPE.SUBTYPE`, and as the source. */
  readonly subtype?: string;
  /** Options of the file system. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Whether device nodes on it can be opened. */
  readonly devices: boolean;
}

/**
 * Mounts a file system that is attached to no path, without setuid and programs.
 *
 * @returns a descriptor of its root; the mount lasts as long as that or a file of it is open
 * @throws {SystemError} ENOSYS before kernel 5.2, EPERM without CAP_SYS_ADMIN, as fsconfig(2)
 */
export function mountNowhere({ type, subtype, parameters, devices }: MountRequest): Fd {
  const name = cString(type);
  using context = new Fd(call("fsopen", addressOf(name), FSOPEN_CLOEXEC));
  const names = subtype === undefined ? {} : { source: subtype, subtype };
  for (const [key, value] of Object.entries({ ...names, ...parameters })) {
    setParameter(context, key, value);
  }
  call("fsconfig", context.number, FSCONFIG_CMD_CREATE, 0, 0, 0);
  const attributes = MOUNT_ATTR.noSuid | MOUNT_ATTR.noExec | (devices ? 0 : MOUNT_ATTR.noDev);
  return new Fd(call("fsmount", context.number, FSMOUNT_CLOEXEC, attributes));
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
