/**
 * Errors of this driver.
 *
 * @module
 */
import { ImageFormatError, UnsupportedFeatureError } from "../../image/errors.ts";
import { VHDX } from "../../image/formats.ts";

/** A file that is no valid image, or damaged metadata, at `hostOffset` where that is known. */
export function damaged(path: string, message: string, hostOffset?: number): ImageFormatError {
  return new ImageFormatError(VHDX.name, path, message, hostOffset);
}

/** A valid image that needs `feature`. */
export function unsupported(path: string, feature: string): UnsupportedFeatureError {
  return new UnsupportedFeatureError(VHDX.name, path, feature);
}
