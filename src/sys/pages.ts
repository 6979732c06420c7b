/**
 * Memory that belongs to the process rather than to one of its threads: no buffer of JavaScript holds
 * it, so that it stays when the thread that reserved it ends.
 *
 * @module
 */
import { checked, ENOMEM, SystemError } from "./errno.ts";
import { libc } from "./libc.ts";

// asm-generic/mman-common.h, linux/mman.h
const PROT_READ_WRITE = 0x3;
const MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x02 | 0x20 | 0x4000;
const MAP_SHARED = 0x01;
const PROT_READ_EXEC = 0x5;
const MAP_FAILED = -1;

/**
 * Reserves zeroed memory, which is only committed as it is touched.
 *
 * @returns its address
 * @throws {SystemError} ENOMEM if there is no room for it
 */
export function reservePages(lengthBytes: number): number {
  return map(lengthBytes, MAP_PRIVATE_ANONYMOUS_NORESERVE, -1);
}

/**
 * Maps what an open file begins with: what is written there is the file's, and all see it who map it.
 *
 * @returns its address
 * @throws {SystemError} ENOMEM if there is no room for it
 */
export function mapShared(fd: number, lengthBytes: number): number {
  return map(lengthBytes, MAP_SHARED, fd);
}

function map(lengthBytes: number, flags: number, fd: number): number {
  const mapped = libc().mmap(0, lengthBytes, PROT_READ_WRITE, flags, fd, 0);
  const address = Number(BigInt.asIntN(64, mapped));
  if (address === MAP_FAILED) throw new SystemError("mmap", ENOMEM);
  return address;
}

/** Gives back what {@link reservePages} has reserved. */
export function returnPages(address: number, lengthBytes: number): void {
  libc().munmap(address, lengthBytes);
}

/**
 * Makes what lies in reserved memory instructions: it can be executed, and no longer changed.
 *
 * @throws {SystemError} as mprotect(2)
 */
export function protectCode(address: number, lengthBytes: number): void {
  checked(libc().mprotect(address, lengthBytes, PROT_READ_EXEC), "mprotect");
}
