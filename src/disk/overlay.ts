/**
 * Layers over an image: what is written goes there, and the image stays as it is.
 *
 *     reads ──> overlay ──(what it has nothing of)──> image ──> its backing files
 *     writes ──> overlay
 *
 * @module
 */
import { qcow } from "../format/qcow/mod.ts";
import { cachesAtDepth } from "../image/cache_sizes.ts";
import type { Image } from "../image/driver.ts";
import { RelatedFileError } from "../image/errors.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { reasonOf } from "../sys/reason.ts";
import type { Chain } from "./chain.ts";
import type { ImageRequest } from "./request.ts";
import { MAX_CHAIN_IMAGES } from "./runs.ts";

/** A layer, open. */
export interface Overlay {
  readonly file: ImageFile;
  /** Makes it a layer over an image; undefined if it is one. */
  readonly cover?: (image: Image) => void;
  /** Has it be there for all to find, if it is not. */
  readonly publish?: () => void;
  /** What can be done where it cannot be written. */
  readonly advice?: string;
}

/** Images that are open, the top one and those below it. */
export interface Stack {
  readonly image: Image;
  /** The images below it, from its backing image on. */
  readonly images: readonly Image[];
  /** Every file they read from. */
  readonly files: readonly ImageFile[];
  /** Names of the formats of all of them, that of the top one first. */
  readonly formats: readonly string[];
  /** What the user had better know of those below. */
  readonly warnings: readonly string[];
  /** How many images lie above the one that was asked for. */
  readonly layersAbove: number;
}

/** An image, and what its chain has below it. */
export function stackOf(image: Image, { images, files, warnings, layers }: Chain): Stack {
  const formats = layers.map(({ driver }) => driver.name);
  return { image, images, files, formats, warnings, layersAbove: 0 };
}

/**
 * Puts a layer over a stack.
 *
 * @throws {RangeError} if there are too many images already, or it is not known how large the disk is
 * @throws {RelatedFileError} if the layer cannot be written, or opened
 */
export function coveredBy(overlay: Overlay, stack: Stack, means: Means): Stack {
  const { image, images, files, formats, warnings } = stack;
  if (formats.length >= MAX_CHAIN_IMAGES) {
    throw new RangeError(`more than ${MAX_CHAIN_IMAGES} images below each other`);
  }
  if (image.arriving?.isSizeKnown === false) {
    throw new RangeError("an overlay has to know the size of the disk before it is decompressed");
  }
  const { file } = overlay;
  return {
    image: openOver(image, overlay, means),
    images: [image, ...images],
    files: [...files, file],
    formats: [qcow.name, ...formats],
    warnings: [...image.warnings ?? [], ...warnings],
    layersAbove: 1,
  };
}

interface Means {
  readonly chain: Chain;
  readonly request: ImageRequest;
}

/** The layer as an image. The other one is open: what fails is the layer. */
function openOver(image: Image, { file, cover, advice = "" }: Overlay, means: Means): Image {
  const { chain, request } = means;
  try {
    cover?.(image);
    return qcow.open(file, {
      ...chain.openOptions,
      readOnly: false,
      ...cachesAtDepth(0, request),
      related: {
        openBacking: () => image,
        openParent: () => image,
        openPiece: (...asked) => chain.openPiece(...asked),
        openPiecesIn: (...asked) => chain.openPiecesIn(...asked),
        openDataFile: (...asked) => chain.openDataFile(...asked),
        openSpool: (by) => chain.openSpool(by),
        reserveMemory: (lengthBytes) => chain.reserveMemory(lengthBytes),
      },
    });
  } catch (error) {
    if (error instanceof RelatedFileError) throw error;
    const message = `${file.path}: ${reasonOf(error)}${advice}`;
    throw new RelatedFileError(file.path, message, { cause: error });
  }
}
