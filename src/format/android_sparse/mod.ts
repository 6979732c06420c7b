/**
 * ANDROID-SPARSE: the images that Android's fastboot writes to flash memory. They are only read.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { ANDROID_SPARSE } from "../../image/formats.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { readChunks } from "./chunks.ts";
import { readHeader } from "./header.ts";
import { AndroidSparseImage } from "./image.ts";
import { MAGIC_BYTES } from "./layout.ts";

/** The ANDROID-SPARSE driver. */
export const androidSparse: FormatDriver = {
  ...ANDROID_SPARSE,
  magics: [{ offset: 0, bytes: MAGIC_BYTES }],
  open: openSparse,
  info: describeSparse,
};

/** @throws as {@link readHeader} and {@link readChunks} */
function openSparse(file: ImageFile, { related }: OpenOptions): Image {
  const header = readHeader(file);
  return new AndroidSparseImage(file, header, readChunks(file, header, related));
}

/** @throws as {@link readHeader} */
function describeSparse(file: ImageFile): ImageInfo {
  const { sizeBytes, blockBytes, version, chunks } = readHeader(file);
  return {
    format: "android-sparse",
    sizeBytes,
    clusterBytes: blockBytes,
    specific: { type: "android-sparse", data: { version, chunks } },
  };
}
