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
const MFD_ALLOW_SEALING = 0x2;
const MFD_NOEXEC_SEAL = 0x8;
// linux/fcntl.h
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
/** F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE */
const ALL_SEALS = 0x1 | 0x2 | 0x4 | 0x8;

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
 * Makes such a file that nobody can change any more.
 *
 * @throws {SystemError} as memfd_create(2), write(2) and fcntl(2)
 */
export function sealedMemoryFile(name: string, content: Uint8Array<ArrayBuffer>): Fd {
  const fd = memoryFile(name, content);
  try {
    checked(libc().fcntl(fd.number, F_ADD_SEALS, ALL_SEALS), "fcntl");
    return fd;
  } catch (error) {
    fd.close();
    throw error;
  }
}

/** Whether a descriptor, whatever it is of, is one of {@link sealedMemoryFile}. */
export function isSealed(fd: number): boolean {
  const seals = libc().fcntl(fd, F_GET_SEALS, 0);
  return seals >= 0 && (seals & ALL_SEALS) === ALL_SEALS;
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
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const number = libc().memfd_create(cString(name), flags | MFD_NOEXEC_SEAL);
  if (number >= 0) return number;
  return checked(libc().memfd_create(cString(name), flags), "memfd_create");
}
