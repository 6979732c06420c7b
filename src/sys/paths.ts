/**
 * Paths: what a name leads to, and the folder it lies in.
 *
 * @module
 */
import { checked, EILSEQ, ENAMETOOLONG, SystemError } from "./errno.ts";
import { lastErrno, libc } from "./libc.ts";
import { O_PATH, openInPieces, PATH_MAX } from "./long_paths.ts";
import { cString } from "./memory.ts";
import { decodeText } from "./text.ts";

/** What there is room for in the name of a folder. */
const MAX_FOLDER_BYTES = 256 * 1024;

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

/**
 * As {@link realPath}, also of what is too long for that; its last part, where that is a link, then
 * stays one.
 *
 * @throws {SystemError} likewise
 */
export function absoluteName(path: string): string {
  return unlessTooLong(path, () => `${folderName(folderOf(path))}/${path.split("/").at(-1)}`);
}

/**
 * As {@link realPath} of a folder, however long its path is.
 *
 * @throws {SystemError} likewise; ENOTDIR if it is none
 */
export function folderName(path: string): string {
  return unlessTooLong(path, () => nameByEntering(path));
}

function unlessTooLong(path: string, otherwise: () => string): string {
  try {
    return realPath(path);
  } catch (error) {
    if (error instanceof SystemError && error.errno === ENAMETOOLONG) return otherwise();
    throw error;
  }
}

/** The C library finds out where one is, step by step, where the kernel cannot tell. */
function nameByEntering(path: string): string {
  const handle = { flags: O_PATH, mode: 0 };
  using folder = openInPieces(path, handle);
  using here = openInPieces(".", handle);
  checked(libc().fchdir(folder.number), "chdir", path);
  try {
    const name = new Uint8Array(MAX_FOLDER_BYTES);
    if (libc().getcwd(name, name.length) === 0n) throw new SystemError("getcwd", lastErrno(), path);
    return pathText(name.subarray(0, name.indexOf(0)), "getcwd", path);
  } finally {
    libc().fchdir(here.number);
  }
}

function pathText(bytes: Uint8Array, syscall: string, path: string): string {
  const text = decodeText(bytes);
  if (!text.isWellFormed()) throw new SystemError(syscall, EILSEQ, path);
  return text;
}

/** The last part of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** A path without its last part. */
export function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) || "/" : ".";
}
