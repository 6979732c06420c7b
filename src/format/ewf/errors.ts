/**
 * Errors of this driver.
 *
 * @module
 */
import { ImageFormatError } from "../../image/errors.ts";
import { EWF } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";

/** A segment that is not valid, at `hostOffset` where that is known. */
export function damaged(
  { path }: ImageFile,
  message: string,
  hostOffset?: number,
): ImageFormatError {
  const place = hostOffset === undefined ? "" : ` (at 0x${hostOffset.toString(16)})`;
  return new ImageFormatError(EWF.name, path, message + place, hostOffset);
}
