/**
 * What is loaded of the ANDROID-SPARSE driver once there is a file to be opened or described.
 *
 * @module
 */
import type { Image, OpenOptions } from "../../image/driver.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { readChunks } from "./chunks.ts";
import { readHeader } from "./header.ts";
import { AndroidSparseImage } from "./image.ts";

export { contentSteps } from "./sums.ts";

/** @throws as {@link readHeader} and {@link readChunks} */
export function open(file: ImageFile, { related }: OpenOptions): Image {
  const header = readHeader(file);
  return new AndroidSparseImage(file, header, readChunks(file, header, { memory: related }));
}

/** @throws as {@link readHeader} */
export function info(file: ImageFile): ImageInfo {
  const { sizeBytes, blockBytes, version, chunks } = readHeader(file);
  return {
    format: "android-sparse",
    sizeBytes,
    clusterBytes: blockBytes,
    specific: { type: "android-sparse", data: { version, chunks } },
  };
}
