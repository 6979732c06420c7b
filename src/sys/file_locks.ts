/**
 * Locks on bytes of files that belong to an open file description (fcntl(2)): every process that has a
 * descriptor of it holds them, until the last of these descriptors is closed.
 *
 * @module
 */
import {
  checked,
  EACCES,
  EAGAIN,
  EINVAL,
  ENOLCK,
  ENOSYS,
  EOPNOTSUPP,
  SystemError,
} from "./errno.ts";
import { lastErrno, libc } from "./libc.ts";
import { IoBuffer } from "./memory.ts";

// bits/fcntl-linux.h
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;
const SEEK_SET = 0;

// struct flock, 64-bit: short l_type, l_whence; off_t l_start at 8, l_len at 16; pid_t l_pid at 24
const FLOCK = { size: 32, type: 0, whence: 2, start: 8, length: 16 } as const;

const NO_LOCKS: readonly number[] = [ENOLCK, ENOSYS, EOPNOTSUPP, EINVAL];

/** Whether a call on locks has failed because the file system has none. */
export function isWithoutLocks(error: unknown): boolean {
  return error instanceof SystemError && NO_LOCKS.includes(error.errno);
}

/** A lock to be had. */
export interface ByteLock {
  readonly kind: "shared" | "exclusive";
  readonly byte: number;
  /** For errors. */
  readonly path: string;
}

/**
 * Takes a lock, without waiting.
 *
 * @returns false if somebody else's is in the way
 * @throws {SystemError} as fcntl(2); {@link isWithoutLocks} where there is no such thing
 */
export function tryToLock(fd: number, { kind, byte, path }: ByteLock): boolean {
  const record = lockRecord(kind === "shared" ? F_RDLCK : F_WRLCK, byte);
  const result = libc().fcntl(fd, F_OFD_SETLK, record.address);
  const errno = lastErrno();
  if (result < 0 && (errno === EAGAIN || errno === EACCES)) return false;
  checked(result, "lock", path);
  return true;
}

/**
 * Whether any other open file holds a lock on the byte.
 *
 * @throws {SystemError} as fcntl(2)
 */
export function isLockedByOthers(
  fd: number,
  { byte, path }: Pick<ByteLock, "byte" | "path">,
): boolean {
  const record = lockRecord(F_WRLCK, byte);
  checked(libc().fcntl(fd, F_OFD_GETLK, record.address), "lock", path);
  return record.view.getInt16(FLOCK.type, true) !== F_UNLCK;
}

function lockRecord(type: number, byte: number): IoBuffer {
  const record = new IoBuffer(FLOCK.size);
  record.view.setInt16(FLOCK.type, type, true);
  record.view.setInt16(FLOCK.whence, SEEK_SET, true);
  record.view.setBigInt64(FLOCK.start, BigInt(byte), true);
  record.view.setBigInt64(FLOCK.length, 1n, true);
  return record;
}
