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

/** What is said of an image that can be read, but not changed as it is. */
export const ONLY_READABLE = "it cannot be written to (-r attaches it read-only)";

/**
 * Does what finds out whether an image can be changed: of damage that it finds, the error says that it can
 * be read all the same.
 *
 * @throws as `look`
 */
export function unlessOnlyReadable<T>(look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (!(error instanceof ImageFormatError)) throw error;
    const { format, path, message, hostOffset } = error;
    throw new ImageFormatError(format, path, `${message}: ${ONLY_READABLE}`, hostOffset);
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

/** An encrypted image for which there is no passphrase, or one that does not open it. */
export class SecretError extends Error {
  override readonly name = "SecretError";

  constructor(
    /** The image file. */
    readonly path: string,
    readonly fault: "missing" | "wrong",
    passphrase?: Uint8Array,
  ) {
    super(fault === "missing" ? MISSING_SECRET : WRONG_SECRET + lineEndHint(passphrase));
  }
}

/** Whether what went wrong, with this image or with one below it, is that it has no passphrase. */
export function isPassphraseMissing(error: unknown): boolean {
  if (error instanceof SecretError) return error.fault === "missing";
  return error instanceof Error && isPassphraseMissing(error.cause);
}

const MISSING_SECRET = "the image is encrypted: --key-file names the file with its passphrase";
const WRONG_SECRET = "the passphrase does not unlock the image";
const LINE_FEED = 10;

/** Every byte of a key file counts, as with qemu and cryptsetup. */
function lineEndHint(passphrase: Uint8Array | undefined): string {
  if (passphrase?.at(-1) !== LINE_FEED) return "";
  return " (it ends with a line feed, which is a part of it)";
}
