/**
 * BOCHS: images of the emulator Bochs that grow as they are written to. They are only read.
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { exact } from "../../image/exact.ts";
import { BOCHS } from "../../image/formats.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { diskSize, readFields, readHeader } from "./header.ts";
import { BochsImage } from "./image.ts";
import { MAGIC } from "./layout.ts";

/** The BOCHS driver. */
export const bochs: FormatDriver = {
  ...BOCHS,
  magics: [{ offset: 0, bytes: new TextEncoder().encode(MAGIC) }],
  open: openBochs,
  info: describeBochs,
};

/** @throws as {@link readHeader} */
function openBochs(file: ImageFile, options: OpenOptions): Image {
  const { metadataCacheBytes = DEFAULT_CACHES.metadataCacheBytes } = options;
  return new BochsImage(file, readHeader(file), metadataCacheBytes);
}

/**
 * qemu tells nothing of what only this format has.
 *
 * @throws as {@link readFields}
 */
function describeBochs(file: ImageFile): ImageInfo {
  const fields = readFields(file);
  return {
    format: "bochs",
    sizeBytes: exact(diskSize(fields)),
    clusterBytes: fields.extent,
    specific: { type: "bochs", data: { subtype: fields.subtype } },
  };
}
