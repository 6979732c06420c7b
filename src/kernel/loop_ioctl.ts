/**
 * Calls to the loop driver (linux/loop.h).
 *
 * @module
 */
import { EAGAIN, SystemError } from "../sys/errno.ts";
import type { Fd } from "../sys/files.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import { trace } from "../sys/trace.ts";

const LOOP_IOCTLS = {
  LOOP_SET_FD: 0x4c00,
  LOOP_CLR_FD: 0x4c01,
  LOOP_SET_STATUS64: 0x4c04,
  LOOP_GET_STATUS64: 0x4c05,
  LOOP_SET_CAPACITY: 0x4c07,
  LOOP_SET_DIRECT_IO: 0x4c08,
  LOOP_SET_BLOCK_SIZE: 0x4c09,
  LOOP_CONFIGURE: 0x4c0a,
  LOOP_CTL_ADD: 0x4c80,
  LOOP_CTL_REMOVE: 0x4c81,
  LOOP_CTL_GET_FREE: 0x4c82,
} as const;

export type LoopIoctl = keyof typeof LOOP_IOCTLS;

/** EAGAIN: the page cache of the device could not be emptied just now (lo_set_status, since 5.3). */
const AGAIN = { attempts: 10, pauseMicroseconds: 250_000 } as const;

/** One call. */
export interface LoopCall {
  /** The loop device, or /dev/loop-control, open. */
  readonly fd: Fd;
  /** Its path, for errors and traces. */
  readonly path: string;
  /** A number or an address; 0 if left out. */
  readonly argument?: number;
}

/** Result of a call: what it returns, not negative, or an error number. */
export type LoopResult =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly errno: number };

/** Calls the driver, and again for some seconds while it says EAGAIN, as losetup does. */
export function tryLoopIoctl(name: LoopIoctl, call: LoopCall): LoopResult {
  for (let attempt = 1;; attempt++) {
    const result = callOnce(name, call);
    if (result.ok || result.errno !== EAGAIN || attempt > AGAIN.attempts) return result;
    libc().usleep(AGAIN.pauseMicroseconds);
  }
}

/**
 * As {@link tryLoopIoctl}, for calls that have to succeed.
 *
 * @returns what the call returns, not negative
 * @throws {SystemError} as ioctl(2)
 */
export function loopIoctl(name: LoopIoctl, call: LoopCall): number {
  const result = tryLoopIoctl(name, call);
  if (result.ok) return result.value;
  throw new SystemError(`ioctl ${name}`, result.errno, call.path);
}

function callOnce(name: LoopIoctl, { fd, path, argument = 0 }: LoopCall): LoopResult {
  const value = libc().ioctl(fd.number, LOOP_IOCTLS[name], argument);
  const errno = value < 0 ? lastErrno() : 0;
  trace("kernel", () => `ioctl ${name} ${argument} on ${path}: ${value < 0 ? -errno : value}`);
  return value < 0 ? { ok: false, errno } : { ok: true, value };
}
