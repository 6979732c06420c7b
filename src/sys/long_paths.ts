/**
 * Paths that are longer than the kernel takes: they are walked in pieces, from folder to folder. A
 * file has such a path if it was made by a shorter one, from a folder near to it.
 *
 * @module
 */
import { checked } from "./errno.ts";
import { Fd } from "./fd.ts";
import { libc } from "./libc.ts";
import { cString } from "./memory.ts";

/** Length of the longest path that one system call takes, in bytes, its end included (linux/limits.h). */
export const PATH_MAX = 4096;

const AT_FDCWD = -100;
// asm-generic/fcntl.h
const O_CLOEXEC = 0o2000000;
/** Only a handle on the file: opening it so waits for nothing, and touches no device. */
export const O_PATH = 0o10000000;
const SLASH = 0x2f;

/** As in open(2). */
export interface OpenHow {
  readonly flags: number;
  readonly mode: number;
}

/**
 * As open(2), of a path that may be too long for it.
 *
 * @throws {SystemError} as open(2); ENAMETOOLONG only if one name of the path is too long
 */
export function openInPieces(path: string, how: OpenHow): Fd {
  return openPieces(cString(path), { ...how, path, from: AT_FDCWD });
}

interface Walk extends OpenHow {
  readonly path: string;
  /** The folder where the rest of the path starts. */
  readonly from: number;
}

function openPieces(bytes: Uint8Array<ArrayBuffer>, walk: Walk): Fd {
  const { flags, mode, path, from } = walk;
  const end = pieceEnd(bytes);
  if (end === bytes.length) {
    return new Fd(checked(libc().openat(from, bytes, flags, mode), "open", path));
  }
  const piece = endedAt(bytes, end);
  using folder = new Fd(checked(libc().openat(from, piece, O_PATH | O_CLOEXEC, 0), "open", path));
  return openPieces(bytes.subarray(end), { ...walk, from: folder.number });
}

/** Where the first piece that is short enough ends, behind its slashes; the length, if that is all. */
function pieceEnd(bytes: Uint8Array): number {
  if (bytes.length <= PATH_MAX) return bytes.length;
  const slash = bytes.lastIndexOf(SLASH, PATH_MAX - 2);
  // A name without an end is left to the kernel to refuse; what begins with a slash starts at the root.
  if (slash <= 0) return bytes.length;
  let end = slash + 1;
  while (bytes[end] === SLASH) end++;
  return end;
}

/** The first `length` bytes, as a string of C. */
function endedAt(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const piece = new Uint8Array(length + 1);
  piece.set(bytes.subarray(0, length));
  return piece;
}
