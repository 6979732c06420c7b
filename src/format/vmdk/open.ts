/**
 * Opening an image, its pieces, and the image below it.
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import type { Image, OpenOptions } from "../../image/driver.ts";
import type { Parent } from "../../image/identity.ts";
import type { Writing } from "../../image/writing.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { PartsWriting } from "../kit/parts_writing.ts";
import { unsupported } from "./errors.ts";
import type { ExtentOptions } from "./extents/kind.ts";
import { VmdkImage } from "./image.ts";
import { parentOf } from "./parent.ts";
import { type Piece, PieceOpener } from "./pieces.ts";
import { checkLines, readSource, type Source } from "./source.ts";
import { obstacleIn } from "./write/obstacle.ts";
import { Renewal } from "./write/renewal.ts";

/**
 * @throws {ImageFormatError} if the metadata are damaged, or do not agree with each other
 * @throws {UnsupportedFeatureError} if it needs what is not supported
 * @throws as {@link RelatedFiles}
 */
export function openVmdk(file: ImageFile, options: OpenOptions): Image {
  const { readOnly, related, force = false } = options;
  const source = readSource(file, { force });
  const obstacle = readOnly ? undefined : obstacleIn(source);
  if (obstacle !== undefined) {
    throw unsupported(file.path, `${obstacle}, when they are written to,`);
  }
  const backing = openBelow(file, parentOf(source.descriptor, file.path), options);
  const { metadataCacheBytes: cacheBytes = DEFAULT_CACHES.metadataCacheBytes } = options;
  const renewal = new Renewal(file, source);
  const common = { readOnly, backing, related, cacheBytes, begin: () => renewal.begin() };
  const pieces = openPieces(file, source, { ...common, force });
  return new VmdkImage({
    parts: pieces.map(({ disk }) => disk),
    extents: pieces.flatMap(({ sparse }) => sparse ?? []),
    writing: readOnly ? undefined : writingOf(file, source, pieces),
  });
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
  { descriptor, own }: Source,
  options: Omit<ExtentOptions, "start"> & { readonly force: boolean },
): Piece[] {
  if (own !== undefined) {
    const disk = own.kind.open(file, { ...options, start: 0 });
    return [{ disk, sparse: disk, writing: disk.writing }];
  }
  checkLines(descriptor, file.path);
  const { extents } = descriptor;
  const cacheBytes = options.cacheBytes / extents.length;
  const opener = new PieceOpener(file, { ...options, cacheBytes });
  let start = 0;
  return extents.map((line) => {
    const piece = opener.open(line, start);
    start += line.sizeBytes;
    return piece;
  });
}

/** @throws {UnsupportedFeatureError} if the pieces can only be read */
function writingOf(file: ImageFile, { own }: Source, pieces: readonly Piece[]): Writing {
  const parts = pieces.map(({ disk: { sizeBytes }, writing }) => {
    if (writing !== undefined) return { sizeBytes, writing };
    throw unsupported(file.path, "such extents, when they are written to,");
  });
  const [first] = parts;
  if (own !== undefined && first !== undefined) return first.writing;
  try {
    return new PartsWriting(parts, [file]);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw unsupported(file.path, `${error.message}, when they are written to,`);
  }
}
