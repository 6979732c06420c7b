/**
 * Errors of this driver.
 *
 * @module
 */
import { ImageFormatError } from "../../image/errors.ts";
import { DMG } from "../../image/formats.ts";

/** A file that is no valid image, or damaged metadata, at `hostOffset` where that is known. */
export function damaged(path: string, message: string, hostOffset?: number): ImageFormatError {
  return new ImageFormatError(DMG.name, path, message, hostOffset);
}
