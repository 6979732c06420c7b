/**
 * Freezing file systems (ioctl_fs(2), `FIFREEZE` and `FITHAW` of linux/fs.h): all that was written is on
 * the disk, which is as after unmounting it, and who writes waits until it is thawed.
 *
 * @module
 */
import { EBUSY, EOPNOTSUPP, SystemError } from "../sys/errno.ts";
import { lastErrno, libc } from "../sys/libc.ts";

const FIFREEZE = 0xc0045877;
const FITHAW = 0xc0045878;

/** Somebody else may have frozen it before; not every file system can be frozen. */
export type FreezeOutcome = "frozen" | "was frozen" | "unable";

/**
 * Freezes the file system that an open file is in.
 *
 * @throws {SystemError} as ioctl(2)
 */
export function freeze(fd: number, path: string): FreezeOutcome {
  if (libc().ioctl(fd, FIFREEZE, 0) === 0) return "frozen";
  const errno = lastErrno();
  if (errno === EBUSY) return "was frozen";
  if (errno === EOPNOTSUPP) return "unable";
  throw new SystemError("ioctl FIFREEZE", errno, path);
}

/** Thaws it; whether it was frozen, and is no more. */
export function thaw(fd: number): boolean {
  return libc().ioctl(fd, FITHAW, 0) === 0;
}
