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
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const MOUNT_ATTR = { noSuid: 2, noDev: 4, noExec: 8 } as const;

/** An option of a file system: a name with its value, or a name alone. */
export type MountParameter = readonly [name: string, value?: string];

/** What to mount. */
export interface MountRequest {
  /** The file system, as in /proc/filesystems. */
  readonly type: string;
  /** What the mount calls itself: shown as the type, `TYPE.SUBTYPE`, and as the source. */
  readonly subtype?: string;
  /** Options of the file system. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Those that are given several times or have no value; only mountNowhere() knows them. */
  readonly further?: readonly MountParameter[];
  /** Whether device nodes on it can be opened. */
  readonly devices: boolean;
}

/**
 * Mounts a file system that is attached to no path, without setuid and programs.
 *
 * @returns a descriptor of its root; the mount lasts as long as that or a file of it is open
 * @throws {SystemError} ENOSYS before kernel 5.2, EPERM without CAP_SYS_ADMIN, as fsconfig(2)
 */
export function mountNowhere(request: MountRequest): Fd {
  const { type, subtype, parameters, further = [], devices } = request;
  const name = cString(type);
  using context = new Fd(call("fsopen", addressOf(name), FSOPEN_CLOEXEC));
  const names = subtype === undefined ? {} : { source: subtype, subtype };
  for (const parameter of [...Object.entries({ ...names, ...parameters }), ...further]) {
    setParameter(context, parameter);
  }
  call("fsconfig", context.number, FSCONFIG_CMD_CREATE, 0, 0, 0);
  const attributes = MOUNT_ATTR.noSuid | MOUNT_ATTR.noExec | (devices ? 0 : MOUNT_ATTR.noDev);
  return new Fd(call("fsmount", context.number, FSMOUNT_CLOEXEC, attributes));
}

/**
 * Makes sure that the kernel has a file system, which it may load for that.
 *
 * @throws {SystemError} ENODEV if it has none of that name; ENOSYS, EPERM as {@link mountNowhere}
 */
export function requireFileSystem(type: string): void {
  const name = cString(type);
  new Fd(call("fsopen", addressOf(name), FSOPEN_CLOEXEC)).close();
}

function setParameter({ number }: Fd, [key, value]: MountParameter): void {
  const name = cString(key);
  if (value === undefined) {
    call("fsconfig", number, FSCONFIG_SET_FLAG, addressOf(name), 0, 0);
    return;
  }
  const text = cString(value);
  call("fsconfig", number, FSCONFIG_SET_STRING, addressOf(name), addressOf(text), 0);
}

function call(name: keyof typeof SYSCALL, ...args: readonly number[]): number {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = args;
  const result = Number(libc().syscall(SYSCALL[name], a, b, c, d, e, 0));
  if (result < 0) throw new SystemError(name, lastErrno());
  return result;
}
