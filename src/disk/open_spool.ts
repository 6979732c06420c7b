/**
 * Files for what is decompressed as a whole.
 *
 * @module
 */
import { RelatedFileError } from "../image/errors.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { SPOOL_ADVICE, SpoolFile } from "../storage/spool_file.ts";
import { reasonOf } from "../sys/reason.ts";
import { ignoreFileSizeSignal } from "../sys/signals.ts";
import { unnamedFile } from "../sys/unnamed_file.ts";
import type { ImageRequest } from "./request.ts";

/**
 * A file without a name for the content of `by`.
 *
 * @throws {RelatedFileError} if it cannot be made
 */
export function openSpoolFile(by: ImageFile, { temporaryFolder }: ImageRequest): SpoolFile {
  const name = `what is decompressed of ${by.path}, in ${temporaryFolder}`;
  try {
    if (temporaryFolder === undefined) throw new Error("nobody has said where to put it");
    ignoreFileSizeSignal();
    return new SpoolFile(unnamedFile(temporaryFolder), name);
  } catch (error) {
    const message = `${name}: ${reasonOf(error)}${SPOOL_ADVICE}`;
    throw new RelatedFileError(by.path, message, { cause: error });
  }
}
