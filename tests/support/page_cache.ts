/**
 * Making files cold.
 *
 * @module
 */
import type { ImageFile } from "../../src/storage/image_file.ts";
import { fileStatus } from "../../src/sys/files.ts";
import { libc } from "../../src/sys/libc.ts";
import { eventually } from "./patience.ts";

// linux/fadvise.h
const POSIX_FADV_RANDOM = 1;
const POSIX_FADV_DONTNEED = 4;
/** Number of fadvise64(2). */
const FADVISE64 = Deno.build.arch === "x86_64" ? 221 : 223;

/** Has the kernel forget what it knows of a file, and read no more of it than is asked for. */
export function dropFromCache({ fd }: Pick<ImageFile, "fd">): void {
  libc().fdatasync(fd);
  for (const advice of [POSIX_FADV_RANDOM, POSIX_FADV_DONTNEED]) {
    libc().syscall(FADVISE64, fd, 0, 0, advice, 0, 0);
  }
}

/**
 * Makes a file cold, again and again, until `isCold` says that it is. A read that may not wait still
 * starts the disk; where that is faster than the kernel's next look, as on a machine whose
 * processors are shared, the data is simply there, many times in a row. A file system in memory
 * never is cold, and passes as well.
 */
export async function becomesCold(file: ImageFile, isCold: () => boolean): Promise<void> {
  if (fileStatus(file.path).deviceMajor === 0) return;
  await eventually(() => {
    dropFromCache(file);
    return isCold();
  }, `${file.path} to become cold`);
}
