/**
 * What this driver says of images it cannot read.
 *
 * @module
 */
import { QCOW } from "../../image/formats.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../image/errors.ts";

/** Name of the driver. */
export const FORMAT = QCOW.name;

/** The image at `path` is not what it should be, at `hostOffset` of the file where that is known. */
export function damaged(path: string, message: string, hostOffset?: number): ImageFormatError {
  return new ImageFormatError(FORMAT, path, message, hostOffset);
}

/** The image at `path` uses `feature`, which this driver does not have. */
export function unsupported(path: string, feature: string): UnsupportedFeatureError {
  return new UnsupportedFeatureError(FORMAT, path, feature);
}

/** An offset as messages show it. */
export function hex(offset: number | bigint): string {
  return `0x${offset.toString(16)}`;
}
