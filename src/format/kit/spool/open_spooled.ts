/**
 * Opening files that can only be decompressed from their start on.
 *
 * @module
 */
import { loadStreamLibrary } from "../../../codec/streams/create.ts";
import type { FillJob } from "../../../image/arriving.ts";
import type { Image, OpenOptions } from "../../../image/driver.ts";
import { UnsupportedFeatureError } from "../../../image/errors.ts";
import type { Mapping } from "../../../image/mapping.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { SpooledImage } from "./spooled_image.ts";

/**
 * The disk in `file`.
 *
 * @throws {UnsupportedFeatureError} if nobody can say where to decompress it to
 * @throws {Error} if the library that decompresses it is not installed
 * @throws {RelatedFileError} if that is not possible there
 * @throws {RangeError} if only its map is wanted, and its size is not known
 */
export function openSpooled(
  file: ImageFile,
  job: Omit<FillJob, "limitBytes">,
  { mapOnly = false, related }: OpenOptions,
): Image {
  if (mapOnly) return new UnreadImage(file, job.sizeBytes);
  if (related === undefined) {
    throw new UnsupportedFeatureError(job.format, file.path, "content decompressed as a whole");
  }
  loadStreamLibrary(job.kind);
  return new SpooledImage({ source: file, spool: related.openSpool(file), job });
}

/** A disk of which nothing is read: one piece. */
class UnreadImage implements Image {
  readonly sizeBytes: number;
  readonly #file: ImageFile;

  constructor(file: ImageFile, sizeBytes: number | undefined) {
    if (sizeBytes === undefined) {
      throw new RangeError("how large its disk is, is not known before it is decompressed");
    }
    this.sizeBytes = sizeBytes;
    this.#file = file;
  }

  map(_guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    mapping.setPacked(this.#file, 0, this.#file.sizeBytes);
    mapping.setPiece(0, this.sizeBytes, lengthBytes);
  }

  [Symbol.dispose](): void {}
}
