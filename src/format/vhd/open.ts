/**
 * Opening an image, and the one below it.
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import type { Image, OpenOptions } from "../../image/driver.ts";
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { VHD } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { BlockVhd } from "./block_image.ts";
import { FixedVhd } from "./fixed_image.ts";
import { type BlockHeader, readHeader } from "./header.ts";
import { parentOf } from "./parent.ts";
import { writingMemory } from "./write/block_writing.ts";

/**
 * @throws {ImageFormatError} if the metadata are damaged
 * @throws {UnsupportedFeatureError} if it needs what is not supported, or the image below cannot be opened
 * @throws as {@link RelatedFiles}
 */
export function openVhd(file: ImageFile, options: OpenOptions): Image {
  const { force = false } = options;
  const { footer, sizeBytes, blocks: header } = readHeader(file, { force });
  const { readOnly, related } = options;
  if (header === undefined) return new FixedVhd(file, { sizeBytes, readOnly });
  const backing = openParent(file, header, options);
  const { metadataCacheBytes: cacheBytes = DEFAULT_CACHES.metadataCacheBytes } = options;
  if (!readOnly) related?.reserveMemory(writingMemory(header));
  return new BlockVhd({ file, sizeBytes, header, footer, backing, cacheBytes, readOnly });
}

function openParent(
  file: ImageFile,
  header: BlockHeader,
  { related }: OpenOptions,
): Image | undefined {
  const parent = parentOf(file, header);
  if (parent === undefined) return undefined;
  if (related !== undefined) return related.openParent(file, parent);
  throw new UnsupportedFeatureError(VHD.name, file.path, "a parent");
}
