/**
 * Opening an image, and the one below it.
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import type { Image, OpenOptions } from "../../image/driver.ts";
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { VDI } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { type Header, readHeader } from "./header.ts";
import { VdiImage } from "./image.ts";
import { parentOf } from "./info.ts";

/**
 * @throws {ImageFormatError} if the header is damaged
 * @throws {UnsupportedFeatureError} if it needs what is not supported, or the image below cannot be opened
 * @throws as {@link RelatedFiles}
 */
export function openVdi(file: ImageFile, options: OpenOptions): Image {
  const header = readHeader(file);
  const backing = openParent(file, header, options);
  const { metadataCacheBytes: cacheBytes = DEFAULT_CACHES.metadataCacheBytes } = options;
  const { readOnly, related } = options;
  if (!readOnly) related?.reserveMemory(Math.ceil(header.blocks / 8));
  return new VdiImage({ file, header, backing, cacheBytes, readOnly });
}

function openParent(
  file: ImageFile,
  { parent }: Header,
  { related }: OpenOptions,
): Image | undefined {
  if (parent === undefined) return undefined;
  if (related !== undefined) return related.openParent(file, parentOf(parent));
  throw new UnsupportedFeatureError(VDI.name, file.path, "a parent");
}
