/**
 * SPARSEIMAGE: disk images of macOS that grow as they are written to. They are only read.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { exact, servedSize } from "../../image/exact.ts";
import { SPARSEIMAGE } from "../../image/formats.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { Bands, MAX_BANDS } from "./bands.ts";
import { damaged, readHeader } from "./header.ts";
import { SparseImage } from "./image.ts";
import { HEADER } from "./layout.ts";

/** "sprs", and the version's upper bytes, which have been zeros ever since. */
const MARK = Uint8Array.of(0x73, 0x70, 0x72, 0x73, 0, 0, 0);

/** The SPARSEIMAGE driver. */
export const sparseimage: FormatDriver = {
  ...SPARSEIMAGE,
  magics: [{ offset: HEADER.offsets.magic, bytes: MARK }],
  open: openSparseimage,
  info: describeSparseimage,
};

/** @throws as {@link readHeader} and {@link Bands} */
function openSparseimage(file: ImageFile, { related }: OpenOptions): Image {
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
function describeSparseimage(file: ImageFile): ImageInfo {
  const { sizeBytes, bandBytes } = readHeader(file);
  return { format: "sparseimage", sizeBytes: exact(sizeBytes), clusterBytes: bandBytes };
}
