/**
 * Having what is stored read as zeros where it is.
 *
 * @module
 */
import { Cleared } from "../../image/writing.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { zeroRange } from "../../storage/zero_range.ts";

/**
 * Clears a range of a file as is wanted. What is discarded may stay as it is, if it cannot be freed.
 *
 * @returns false if zeros have to be written
 * @throws {SystemError} as fallocate(2)
 */
export function clearRange(
  file: ImageFile,
  to: Cleared,
  range: { readonly hostOffset: number; readonly lengthBytes: number },
): boolean {
  if (to !== Cleared.KeptZeros && zeroRange(file, "freed", range)) return true;
  return to === Cleared.Discarded || zeroRange(file, "kept", range);
}
