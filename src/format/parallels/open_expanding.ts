/**
 * Opening an expanding image.
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import type { Image, OpenOptions } from "../../image/driver.ts";
import type { MappedDisk } from "../../image/mapping.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { refuseUnknownFeatures } from "./extension.ts";
import { isInUse, readHeader } from "./header.ts";
import { ParallelsImage } from "./image.ts";
import { ENTRY_BYTES } from "./layout.ts";

const IN_USE = "the image was not closed in order, or another program has it open";

/**
 * @param backing what shows where nothing is stored: zeros if there is nothing
 * @throws {ImageFormatError} if the header is damaged
 * @throws {UnsupportedFeatureError} if it needs what is not supported
 */
export function openExpanding(file: ImageFile, options: OpenOptions, backing?: MappedDisk): Image {
  const header = readHeader(file);
  refuseUnknownFeatures(file, header);
  const { metadataCacheBytes: cacheBytes = DEFAULT_CACHES.metadataCacheBytes } = options;
  const { readOnly, related } = options;
  if (!readOnly) related?.reserveMemory(header.entries * ENTRY_BYTES);
  const warnings = !readOnly && isInUse(header) ? [IN_USE] : [];
  return new ParallelsImage({ file, header, backing, cacheBytes, readOnly, warnings });
}
