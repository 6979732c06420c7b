/**
 * What is loaded of the CLOOP driver once there is a file to be opened or described.
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import type { Image, OpenOptions } from "../../image/driver.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { readHeader } from "./header.ts";
import { CloopImage } from "./image.ts";

/** @throws as {@link readHeader} */
export function open(file: ImageFile, options: OpenOptions): Image {
  const { metadataCacheBytes = DEFAULT_CACHES.metadataCacheBytes } = options;
  return new CloopImage(file, readHeader(file), metadataCacheBytes);
}

/** @throws as {@link readHeader} */
export function info(file: ImageFile): ImageInfo {
  const { sizeBytes, blockBytes } = readHeader(file);
  return { format: "cloop", sizeBytes, clusterBytes: blockBytes };
}
