/**
 * What this driver says of volumes it cannot open.
 *
 * @module
 */
import { ImageFormatError, UnsupportedFeatureError } from "../../image/errors.ts";
import { LUKS } from "../../image/formats.ts";

/** Name of the driver. */
export const FORMAT = LUKS.name;

/** The volume at `path` is not what it should be, at `hostOffset` of the file where that is known. */
export function damaged(path: string, message: string, hostOffset?: number): ImageFormatError {
  return new ImageFormatError(FORMAT, path, message, hostOffset);
}

/** The volume at `path` uses `feature`, which this driver does not have. */
export function unsupported(path: string, feature: string): UnsupportedFeatureError {
  return new UnsupportedFeatureError(FORMAT, path, feature);
}
