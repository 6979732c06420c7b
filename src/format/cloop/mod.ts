/**
 * CLOOP: compressed loop images of live systems, version 2. They are only read.
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { CLOOP } from "../../image/formats.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { readHeader } from "./header.ts";
import { CloopImage } from "./image.ts";
import { MAGIC_BYTES } from "./layout.ts";

/** The CLOOP driver. */
export const cloop: FormatDriver = {
  ...CLOOP,
  magics: [{ offset: 0, bytes: MAGIC_BYTES }],
  open: openCloop,
  info: describeCloop,
};

/** @throws as {@link readHeader} */
function openCloop(file: ImageFile, options: OpenOptions): Image {
  const { metadataCacheBytes = DEFAULT_CACHES.metadataCacheBytes } = options;
  return new CloopImage(file, readHeader(file), metadataCacheBytes);
}

/** @throws as {@link readHeader} */
function describeCloop(file: ImageFile): ImageInfo {
  const { sizeBytes, blockBytes } = readHeader(file);
  return { format: "cloop", sizeBytes, clusterBytes: blockBytes };
}
