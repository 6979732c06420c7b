/**
 * Making files cold.
 *
 * @module
 */
import type { ImageFile } from "../../src/storage/image_file.ts";
import { fileStatus } from "../../src/sys/files.ts";
import { libc } from "../../src/sys/libc.ts";

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
 * processors are shared, the data is simply there, many times in a row.
 *
 * @returns whether it ever was; a file system in memory never is, and passes as well
 */
export async function becomesCold(file: ImageFile, isCold: () => boolean): Promise<boolean> {
  if (fileStatus(file.path).deviceMajor === 0) return true;
  for (let pauseMs = 1; pauseMs < 10_000; pauseMs *= 1.3) {
    dropFromCache(file);
    if (isCold()) return true;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return false;
}
