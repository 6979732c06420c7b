/**
 * Opening images: the format, all that they name, the part of the disk that is wanted.
 *
 * @module
 */
import { LentFd } from "../sys/files.ts";
import { missingLibrary } from "../codec/create.ts";
import { isInUse } from "./change_journal.ts";
import { Chain, type ChainOptions } from "./chain.ts";
import type { Image } from "../image/driver.ts";
import { UnsupportedFeatureError } from "../image/errors.ts";
import { refuseHugeFile } from "../image/exact.ts";
import type { DecodeLane } from "../image/decoding.ts";
import { lookWith } from "./format_hints.ts";
import { type AccessParts, ImageAccess } from "./image_access.ts";
import { coveredBy, type Overlay, type Stack, stackOf } from "./overlay.ts";
import { ImageFile } from "../storage/image_file.ts";
import { PaddedImage } from "./padded_image.ts";
import type { KeyRing } from "../image/key_ring.ts";
import { driverFor } from "./probe.ts";
import type { ImageRequest } from "./request.ts";
import type { SharedFile } from "../storage/image_file.ts";
import { type SharedSpool, SpoolFile } from "../storage/spool_file.ts";

/**
 * Opens the image in `file`, which from then on belongs to the result, and all that it names.
 *
 * @throws {ImageFormatError} if it is not a valid image of the format
 * @throws {UnsupportedFeatureError} if it needs what the driver does not have
 * @throws {RelatedFileError} if that is so for a file it names, or it cannot or may not be opened
 * @throws {RangeError} if the offset lies past the end of the disk, or the format is unknown
 */
export function openImage(
  file: ImageFile,
  request: ImageRequest,
  more: OpenMeans = {},
): ImageAccess {
  const driver = driverFor(request.format, file);
  refuseHugeFile(file, driver.name);
  const { snapshot } = request;
  const readOnly = request.readOnly || more.overlay !== undefined;
  if (snapshot !== undefined && driver.changeSnapshots === undefined) {
    throw new RangeError(`${driver.name} images have no internal snapshots`);
  }
  const chain = new Chain({ file, driver }, { request, ...more });
  const isRevived = more.kept !== undefined && isInUse(more.kept);
  const options = { ...chain.openOptions, readOnly, isRevived };
  try {
    const wanted = snapshot === undefined ? options : { ...options, snapshot };
    const image = lookWith({ driver, file }, () => driver.open(file, wanted));
    chain.refuseUnusedParents();
    return accessTo(padded(image, request), chain, { request, ...more });
  } catch (error) {
    chain[Symbol.dispose]();
    throw error;
  }
}

function padded(image: Image, { paddedToBytes }: ImageRequest): Image {
  return paddedToBytes === undefined ? image : new PaddedImage(image, paddedToBytes);
}

/** What an image is opened with, and what decompresses its pieces. */
export interface OpenMeans
  extends Omit<ChainOptions, "request">, Pick<AccessParts, "pieces" | "kept"> {
  readonly decoding?: DecodeLane | undefined;
  /** What is written to, so that the image, opened for reading only, stays as it is. */
  readonly overlay?: Overlay;
}

/** @throws {Error} as {@link openImage}; all that is open is closed then, but for the chain */
function accessTo(
  image: Image,
  chain: Chain,
  means: OpenMeans & Pick<ChainOptions, "request">,
): ImageAccess {
  const { request, overlay, decoding, pieces, kept, mapOnly } = means;
  const isEncrypted = (): boolean =>
    chain.layers.some(({ driver, file }) => driver.info?.(file).encrypted === true);
  const { offsetBytes, sizeLimitBytes } = request;
  const window = { offsetBytes, sizeLimitBytes };
  const clusterBytes = (): number =>
    Math.min(
      ...chain.layers.map(({ driver, file }) => driver.info?.(file).clusterBytes ?? Infinity),
    );
  const found = { isEncrypted, clusterBytes };
  const more = { decoding, kept, cacheSizes: request, ...found, ...(pieces ? { pieces } : {}) };
  const opened: Image[] = [image];
  try {
    const stack = overlay === undefined
      ? stackOf(image, chain)
      : coveredBy(overlay, stackOf(image, chain), { chain, request });
    opened.unshift(stack.image);
    if (mapOnly !== true) refuseMissingLibraries(stack);
    return new ImageAccess(stack.image, stack.files, { ...window, ...stack, ...more });
  } catch (error) {
    for (const one of opened) one[Symbol.dispose]();
    throw error;
  }
}

/** @throws {UnsupportedFeatureError} if pieces of an image cannot be decompressed here */
function refuseMissingLibraries({ image, images, formats, files }: Stack): void {
  for (const [depth, { packing }] of [image, ...images].entries()) {
    for (const method of packing?.methods ?? []) {
      const library = missingLibrary(method);
      if (library === undefined) continue;
      const feature = `data that ${library} decompresses, which is not installed,`;
      throw new UnsupportedFeatureError(formats[depth] ?? "", files[0]?.path ?? "", feature);
    }
  }
}

/** What another thread has to know to open an image once more. */
export interface SharedImage {
  readonly image: ImageRequest;
  /** {@link ImageAccess.sharedFiles} of the thread that opened it. */
  readonly files: readonly (SharedFile & Partial<SharedSpool>)[];
  /** {@link ImageAccess.sharedPieces} of that thread. */
  readonly pieces: readonly SharedArrayBuffer[];
  /** What has unlocked it. */
  readonly keys?: KeyRing;
}

/**
 * An image opened once more by another thread, over descriptors that stay the first one's.
 *
 * @throws as {@link openImage}; {@link Error} if the images name other files than before
 */
export function openSharedImage({ image, files, pieces, keys }: SharedImage): ImageAccess {
  const [file, ...replay] = files.map(openShared);
  if (file === undefined) throw new Error("an image without a file");
  return openImage(file, image, { replay, pieces, ...(keys === undefined ? {} : { keys }) });
}

function openShared(
  { fd, path, sizeBytes, progress }: SharedFile & Partial<SharedSpool>,
): ImageFile {
  return progress === undefined
    ? new ImageFile(new LentFd(fd), path, { sizeBytes })
    : new SpoolFile(new LentFd(fd), path, progress);
}
