/**
 * What is loaded of the SPARSEIMAGE driver once there is a file to be opened or described.
 *
 * @module
 */
import type { Image, OpenOptions } from "../../image/driver.ts";
import { exact, servedSize } from "../../image/exact.ts";
import { SPARSEIMAGE } from "../../image/formats.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { Bands, MAX_BANDS } from "./bands.ts";
import { damaged, readHeader } from "./header.ts";
import { SparseImage } from "./image.ts";

/** @throws as {@link readHeader} and {@link Bands} */
export function open(file: ImageFile, { related }: OpenOptions): Image {
  const header = readHeader(file);
  const { bandBytes } = header;
  const sizeBytes = servedSize(header.sizeBytes, SPARSEIMAGE.name, file.path);
  const bands = Math.ceil(sizeBytes / bandBytes);
  if (bands > MAX_BANDS) throw damaged(file, `a disk of ${bands} bands is too large`);
  return new SparseImage(file, new Bands(file, { bands, bandBytes }, related), {
    sizeBytes,
    bandBytes,
  });
}

/** @throws as {@link readHeader} */
export function info(file: ImageFile): ImageInfo {
  const { sizeBytes, bandBytes } = readHeader(file);
  return { format: "sparseimage", sizeBytes: exact(sizeBytes), clusterBytes: bandBytes };
}
