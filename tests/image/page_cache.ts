/**
 * Making files cold.
 *
 * @module
 */
import type { ImageFile } from "../../src/image/image_file.ts";
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
