/**
 * What this driver says of images it cannot read.
 *
 * @module
 */
import { ImageFormatError } from "../../image/errors.ts";
import { QED } from "../../image/formats.ts";

/** The image at `path` is not what it should be, at `hostOffset` of the file where that is known. */
export function damaged(path: string, message: string, hostOffset?: number): ImageFormatError {
  return new ImageFormatError(QED.name, path, message, hostOffset);
}
