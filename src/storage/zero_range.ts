/**
 * Having a range of a file be zeros, without writing them.
 *
 * @module
 */
import { EINVAL, SystemError } from "../sys/errno.ts";
import type { ImageFile } from "./image_file.ts";

// linux/falloc.h
const FALLOC_FL_KEEP_SIZE = 0x01;
const FALLOC_FL_PUNCH_HOLE = 0x02;
const FALLOC_FL_ZERO_RANGE = 0x10;

/** What becomes of the space that a range takes. */
export type Space = "freed" | "kept";

/**
 * Has a range of a file be zeros. A block device refuses what is not whole logical blocks: that is not a
 * failure.
 *
 * @returns false if it cannot be done so
 * @throws {SystemError} as fallocate(2)
 */
export function zeroRange(
  file: ImageFile,
  space: Space,
  { hostOffset, lengthBytes }: { readonly hostOffset: number; readonly lengthBytes: number },
): boolean {
  const mode = space === "freed" ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
  try {
    return file.allocate(mode | FALLOC_FL_KEEP_SIZE, hostOffset, lengthBytes);
  } catch (error) {
    if (error instanceof SystemError && error.errno === EINVAL) return false;
    throw error;
  }
}
