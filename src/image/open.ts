/**
 * Opening images: the file, its format, the part of the disk that is wanted.
 *
 * @module
 */
import { EACCES, EROFS, SystemError } from "../sys/errno.ts";
import {
  Fd,
  type FileStatus,
  fileStatus,
  O_RDONLY,
  O_RDWR,
  openFile,
  readTextIfAny,
} from "../sys/files.ts";
import { ImageAccess } from "./image_access.ts";
import { ImageFile } from "./image_file.ts";
import { findDriver } from "./registry.ts";
import type { WindowLimits } from "./window.ts";

const EISDIR = 21;
const ENOTBLK = 15;

/** What is wanted of an image, and which part of its disk. */
export interface ImageRequest extends WindowLimits {
  /** Canonical name of its format. */
  readonly format: string;
  readonly readOnly: boolean;
}

/**
 * Opens the file or block device an image lies in; for reading only where it is write-protected.
 *
 * @throws {SystemError} as open(2); EISDIR for a folder, ENOTBLK for other things without content
 */
export function openImageFile(
  path: string,
  wanted: { readonly readOnly: boolean },
): { file: ImageFile; readOnly: boolean } {
  // Before opening: opening a pipe would wait, and opening a tape would move it.
  const status = fileStatus(path);
  const { kind } = status;
  if (kind === "directory") throw new SystemError("open", EISDIR, path);
  if (kind !== "file" && kind !== "block") throw new SystemError("open", ENOTBLK, path);
  if (!wanted.readOnly && !isReadOnlyDevice(status)) {
    try {
      return { file: new ImageFile(openFile(path, O_RDWR), path), readOnly: false };
    } catch (error) {
      if (!isWriteProtection(error)) throw error;
    }
  }
  return { file: new ImageFile(openFile(path, O_RDONLY), path), readOnly: true };
}

/** A block device that is read-only can be opened for writing all the same; the writes then fail. */
function isReadOnlyDevice({ kind, specialMajor, specialMinor }: FileStatus): boolean {
  if (kind !== "block") return false;
  return readTextIfAny(`/sys/dev/block/${specialMajor}:${specialMinor}/ro`) === "1";
}

function isWriteProtection(error: unknown): boolean {
  return error instanceof SystemError && (error.errno === EROFS || error.errno === EACCES);
}

/**
 * Opens the image in `file`, which from then on belongs to the result.
 *
 * @throws {ImageFormatError} if it is not a valid image of the format
 * @throws {UnsupportedFeatureError} if it needs what the driver does not have
 * @throws {RangeError} if the offset lies past the end of the disk, or the format is unknown
 */
export function openImage(file: ImageFile, request: ImageRequest): ImageAccess {
  const driver = findDriver(request.format);
  if (driver === undefined) throw new RangeError(`no driver for ${request.format}`);
  const image = driver.open(file, { readOnly: request.readOnly });
  return new ImageAccess(image, [file], request);
}

/** What another thread has to know to open an image once more. */
export interface SharedImage {
  readonly imageFd: number;
  readonly imagePath: string;
  /** Size of the file as it was known when it was opened first, or was asked for last. */
  readonly imageBytes: number;
  readonly image: ImageRequest;
}

/** An image opened once more by another thread, over a descriptor that stays the first one's. */
export function openSharedImage(shared: SharedImage): ImageAccess {
  const { imageFd, imagePath, imageBytes, image } = shared;
  return openImage(new ImageFile(new Fd(imageFd), imagePath, imageBytes), image);
}
