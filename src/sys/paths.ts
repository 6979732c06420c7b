/**
 * Paths: what a name leads to, and the folder it lies in.
 *
 * @module
 */
import { checked, EILSEQ, SystemError } from "./errno.ts";
import { lastErrno, libc } from "./libc.ts";
import { cString } from "./memory.ts";
import { decodeText } from "./text.ts";

const PATH_MAX = 4096;

/**
 * Target of a symbolic link.
 *
 * @throws {SystemError} as readlink(2); EILSEQ as {@link realPath}
 */
export function readLink(path: string): string {
  const target = new Uint8Array(PATH_MAX);
  const length = checked(libc().readlink(cString(path), target, PATH_MAX), "readlink", path);
  return pathText(target.subarray(0, length), "readlink", path);
}

/**
 * Absolute path without symbolic links.
 *
 * @throws {SystemError} as realpath(3), ENOENT where a part of it is missing; EILSEQ if it is no
 *   text, for with its bytes replaced it would be the path of another file
 */
export function realPath(path: string): string {
  const resolved = new Uint8Array(PATH_MAX);
  const result = libc().realpath(cString(path), resolved);
  if (result === 0n) throw new SystemError("realpath", lastErrno(), path);
  return pathText(resolved.subarray(0, resolved.indexOf(0)), "realpath", path);
}

function pathText(bytes: Uint8Array, syscall: string, path: string): string {
  const text = decodeText(bytes);
  if (!text.isWellFormed()) throw new SystemError(syscall, EILSEQ, path);
  return text;
}

/** A path that has a slash without its last part. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
