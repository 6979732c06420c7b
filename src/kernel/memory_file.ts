/**
 * Files that are memory and have no name: they last as long as somebody has them open.
 *
 * @module
 */
import { checked } from "../sys/errno.ts";
import { Fd, writeBytes } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { cString } from "../sys/memory.ts";

// linux/memfd.h
const MFD_CLOEXEC = 0x1;
const MFD_NOEXEC_SEAL = 0x8;

/**
 * Makes such a file.
 *
 * @param name shows in /proc/PID/fd, for people
 * @throws {SystemError} as memfd_create(2) and write(2)
 */
export function memoryFile(name: string, content: Uint8Array<ArrayBuffer>): Fd {
  const fd = new Fd(create(name));
  try {
    writeBytes(fd.number, content);
    return fd;
  } catch (error) {
    fd.close();
    throw error;
  }
}

/**
 * Makes such a file of `sizeBytes` zeros, which takes up memory only where it is written to.
 *
 * @throws {SystemError} as memfd_create(2) and ftruncate(2)
 */
export function emptyMemoryFile(name: string, sizeBytes: number): Fd {
  const fd = new Fd(create(name));
  try {
    checked(libc().ftruncate(fd.number, sizeBytes), "ftruncate");
    return fd;
  } catch (error) {
    fd.close();
    throw error;
  }
}

/** Since Linux 6.3 a file that could be run as a program has to be asked for, and may be refused. */
function create(name: string): number {
  const number = libc().memfd_create(cString(name), MFD_CLOEXEC | MFD_NOEXEC_SEAL);
  if (number >= 0) return number;
  return checked(libc().memfd_create(cString(name), MFD_CLOEXEC), "memfd_create");
}
