/**
 * Opening an image, its pieces, and the image below it.
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import type { Image, OpenOptions } from "../../image/driver.ts";
import type { Parent } from "../../image/identity.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { unsupported } from "./errors.ts";
import type { ExtentOptions } from "./extents/kind.ts";
import { VmdkImage } from "./image.ts";
import { parentOf } from "./parent.ts";
import { type Piece, PieceOpener } from "./pieces.ts";
import { checkLines, readSource, type Source } from "./source.ts";

/**
 * @throws {ImageFormatError} if the metadata are damaged, or do not agree with each other
 * @throws {UnsupportedFeatureError} if it needs what is not supported
 * @throws as {@link RelatedFiles}
 */
export function openVmdk(file: ImageFile, options: OpenOptions): Image {
  const { force = false } = options;
  const source = readSource(file, { force });
  const parent = parentOf(source.descriptor, file.path);
  const backing = openBelow(file, parent, options);
  const { metadataCacheBytes: cacheBytes = DEFAULT_CACHES.metadataCacheBytes, readOnly, related } =
    options;
  const more = related === undefined ? {} : { related };
  const common = { readOnly, backing, hasBacking: parent !== undefined, ...more };
  if (source.own !== undefined) {
    const extent = source.own.kind.open(file, { ...common, start: 0, cacheBytes });
    return new VmdkImage([extent], [extent]);
  }
  checkLines(source.descriptor, file.path);
  const pieces = openPieces(file, source, { ...common, force, cacheBytes });
  const extents = pieces.flatMap(({ sparse }) => sparse ?? []);
  return new VmdkImage(pieces.map(({ disk }) => disk), extents);
}

function openBelow(
  file: ImageFile,
  parent: Parent | undefined,
  { related }: OpenOptions,
): Image | undefined {
  if (parent === undefined) return undefined;
  if (related !== undefined) return related.openParent(file, parent);
  throw unsupported(file.path, "a parent");
}

/** Each extent has the same share of the memory. */
function openPieces(
  file: ImageFile,
  { descriptor: { extents } }: Source,
  options: Omit<ExtentOptions, "start"> & Pick<OpenOptions, "force">,
): Piece[] {
  const { cacheBytes, force = false } = options;
  const share = cacheBytes / extents.length;
  const opener = new PieceOpener(file, { ...options, force, cacheBytes: share });
  let start = 0;
  return extents.map((line) => {
    const piece = opener.open(line, start);
    start += line.sizeBytes;
    return piece;
  });
}
