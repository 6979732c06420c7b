/**
 * Folders by system call.
 *
 * @module
 */
import { EEXIST, SystemError } from "./errno.ts";
import { lastErrno, libc } from "./libc.ts";
import { cString } from "./memory.ts";

/** Names in a folder, without `.` and `..`, sorted; none where the folder cannot be read. */
export function listDirectory(path: string): string[] {
  return unsortedDirectory(path).sort();
}

/** As {@link listDirectory}, in the order the file system has. */
export function unsortedDirectory(path: string): string[] {
  const directory = Number(libc().opendir(cString(path)));
  if (directory === 0) return [];
  const names: string[] = [];
  for (;;) {
    const entry = libc().readdir(directory);
    if (entry === null) break;
    const name = entryName(entry);
    if (name !== "." && name !== "..") names.push(name);
  }
  libc().closedir(directory);
  return names;
}

// struct dirent64, bits/dirent.h: d_ino 8, d_off 8, d_reclen 2, d_type 1, d_name
const DIRENT_NAME = 19;

function entryName(entry: Deno.PointerObject): string {
  return new Deno.UnsafePointerView(entry).getCString(DIRENT_NAME);
}

/** Makes a folder; one that is already there is left as it is. */
export function makeDirectory(path: string, mode: number): void {
  const mask = libc().umask(0);
  const result = libc().mkdir(cString(path), mode);
  const errno = lastErrno();
  libc().umask(mask);
  if (result < 0 && errno !== EEXIST) throw new SystemError("mkdir", errno, path);
}
