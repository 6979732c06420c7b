/**
 * Layers over an image: what is written goes there, and the image stays as it is.
 *
 *     reads ──> overlay ──(what it has nothing of)──> image ──> its backing files
 *     writes ──> overlay
 *
 * @module
 */
import { createQcow } from "../format/qcow/create.ts";
import { qcow } from "../format/qcow/mod.ts";
import { cachesAtDepth } from "../image/cache_sizes.ts";
import type { Image } from "../image/driver.ts";
import type { ImageFile } from "../storage/image_file.ts";
import type { Chain } from "./chain.ts";
import type { ImageRequest } from "./request.ts";
import { MAX_CHAIN_IMAGES } from "./runs.ts";

/**
 * Clusters of 128 KiB in parts of 4 KiB: what is written in pages is not copied for that, and takes no
 * more memory than it has bytes.
 */
const CLUSTER_BITS = 17;
/** For disks that would have too many of them. */
const LARGEST_CLUSTER_BITS = 21;
const MOST_BYTES = 2 ** 52;

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
 * Makes the empty file `overlay` a layer over a stack, of the same size.
 *
 * @throws {RangeError} if there are too many images already
 * @throws {SystemError} if the file cannot be written
 */
export function coveredBy(
  overlay: ImageFile,
  { image, images, files, formats, warnings }: Stack,
  { chain, request }: { readonly chain: Chain; readonly request: ImageRequest },
): Stack {
  if (formats.length >= MAX_CHAIN_IMAGES) {
    throw new RangeError(`more than ${MAX_CHAIN_IMAGES} images below each other`);
  }
  formatOverlay(overlay, image.sizeBytes);
  const top = qcow.open(overlay, {
    readOnly: false,
    ...cachesAtDepth(0, request),
    related: {
      openBacking: () => image,
      openDataFile: (...asked) => chain.openDataFile(...asked),
      reserveMemory: (lengthBytes) => chain.reserveMemory(lengthBytes),
    },
  });
  return {
    image: top,
    images: [image, ...images],
    files: [...files, overlay],
    formats: [qcow.name, ...formats],
    warnings: [...image.warnings ?? [], ...warnings],
    layersAbove: 1,
  };
}

function formatOverlay(file: ImageFile, sizeBytes: number): void {
  createQcow(file, {
    sizeBytes,
    clusterBits: sizeBytes <= MOST_BYTES ? CLUSTER_BITS : LARGEST_CLUSTER_BITS,
    extendedL2: true,
    // Nobody looks for it by name: it is open.
    backing: { name: "image", format: "raw" },
  });
}
