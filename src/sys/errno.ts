/**
 * Error numbers (asm-generic/errno.h; the same on x86-64 and arm64) and the error they become.
 *
 * @module
 */
import { lastErrno, libc } from "./libc.ts";

export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const EIO = 5;
export const ENXIO = 6;
export const EBADF = 9;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENOTBLK = 15;
export const ENODEV = 19;
export const EISDIR = 21;
export const EINVAL = 22;
export const ENOTTY = 25;
export const EFBIG = 27;
export const ENOSPC = 28;
export const EROFS = 30;
export const EPIPE = 32;
export const ENAMETOOLONG = 36;
export const ENOLCK = 37;
export const ENOSYS = 38;
export const EILSEQ = 84;
export const ENOTSOCK = 88;
export const EOPNOTSUPP = 95;
export const EADDRINUSE = 98;
export const ECANCELED = 125;
export const ECONNABORTED = 103;
export const ECONNRESET = 104;
export const ECONNREFUSED = 111;
export const ESTALE = 116;
export const EDQUOT = 122;

/** A system call that failed. The message is `strerror`'s text for its error number. */
export class SystemError extends Error {
  override readonly name = "SystemError";

  constructor(
    /** Name of the call, for example `open`. */
    readonly syscall: string,
    /** Error number, always positive. */
    readonly errno: number,
    /** File, device or socket the call was about, where there is one. */
    readonly path?: string,
  ) {
    super(errorText(errno));
  }
}

/** What `strerror(3)` says of `errno`. */
export function errorText(errno: number): string {
  const text = libc().strerror(errno);
  return text === null ? `error ${errno}` : Deno.UnsafePointerView.getCString(text);
}

/**
 * Passes a call's result through if it is not negative.
 *
 * @throws {SystemError} with the thread's error number if it is
 */
export function checked(result: number, syscall: string, path?: string): number {
  if (result < 0) throw new SystemError(syscall, lastErrno(), path);
  return result;
}

/** What `act` gives, or undefined if a system call in it fails. */
export function ifPossible<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}
