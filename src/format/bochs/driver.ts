/**
 * What is loaded of the BOCHS driver once there is a file to be opened or described.
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import type { Image, OpenOptions } from "../../image/driver.ts";
import { exact } from "../../image/exact.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { diskSize, readFields, readHeader } from "./header.ts";
import { BochsImage } from "./image.ts";

/** @throws as {@link readHeader} */
export function open(file: ImageFile, options: OpenOptions): Image {
  const { metadataCacheBytes = DEFAULT_CACHES.metadataCacheBytes } = options;
  return new BochsImage(file, readHeader(file), metadataCacheBytes);
}

/**
 * qemu tells nothing of what only this format has.
 *
 * @throws as {@link readFields}
 */
export function info(file: ImageFile): ImageInfo {
  const fields = readFields(file);
  return {
    format: "bochs",
    sizeBytes: exact(diskSize(fields)),
    clusterBytes: fields.extent,
    specific: { type: "bochs", data: { subtype: fields.subtype } },
  };
}
