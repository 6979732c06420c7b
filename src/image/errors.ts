/**
 * What can be wrong with an image.
 *
 * @module
 */

/** A file that is not a valid image of the format it was opened as, or whose metadata is damaged. */
export class ImageFormatError extends Error {
  override readonly name = "ImageFormatError";

  constructor(
    /** Name of the format driver. */
    readonly format: string,
    /** The image file. */
    readonly path: string,
    message: string,
    /** Where in the file the fault lies, in bytes. */
    readonly hostOffset?: number,
  ) {
    super(message);
  }
}

/** A valid image that needs something this version does not have. */
export class UnsupportedFeatureError extends Error {
  override readonly name = "UnsupportedFeatureError";

  constructor(
    readonly format: string,
    readonly path: string,
    /** The feature's name, for example `a backing file`. */
    readonly feature: string,
  ) {
    super(`${format} images with ${feature} are not supported`);
  }
}

/** A file that an image names, and that may not or cannot be opened. */
export class RelatedFileError extends Error {
  override readonly name = "RelatedFileError";

  /** @param message says which file, and which image names it */
  constructor(
    /** The file that was to be opened, or its name as recorded where that leads to no file. */
    readonly path: string,
    message: string,
    options: ErrorOptions,
  ) {
    super(message, options);
  }
}
