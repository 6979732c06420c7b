/**
 * SPARSEBUNDLE: disk images of macOS that are a folder, as Time Machine makes them. They are only read.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { SPARSEBUNDLE } from "../../image/formats.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { BundledDisk } from "./image.ts";
import { BAND_NAME, BANDS_FOLDER, TOKEN } from "./layout.ts";
import { isPropertyList, readPropertyList } from "./property_list.ts";

/** The SPARSEBUNDLE driver: its files are property lists. */
export const sparsebundle: FormatDriver = {
  ...SPARSEBUNDLE,
  magics: [],
  isTextOf: isPropertyList,
  open: openSparsebundle,
  info: describeSparsebundle,
};

/**
 * All bands are opened at once: a daemon has no way to them later.
 *
 * @throws as {@link readPropertyList} and {@link RelatedFiles}
 * @throws {UnsupportedFeatureError} if it is encrypted
 */
function openSparsebundle(file: ImageFile, { related }: OpenOptions): Image {
  const info = readPropertyList(file);
  if (related === undefined) throw unsupported(file, "bands");
  const tokens = related.openPiecesIn(file, "", (name) => name === TOKEN);
  if (tokens.length > 0) throw unsupported(file, "encryption");
  const bands = Math.ceil(info.sizeBytes / info.bandBytes);
  const isBand = (name: string): boolean => BAND_NAME.test(name) && parseInt(name, 16) < bands;
  return new BundledDisk(info, related.openPiecesIn(file, BANDS_FOLDER, isBand));
}

/** @throws as {@link readPropertyList} */
function describeSparsebundle(file: ImageFile): ImageInfo {
  const { sizeBytes, bandBytes } = readPropertyList(file);
  return { format: "sparsebundle", sizeBytes, clusterBytes: bandBytes };
}

function unsupported({ path }: ImageFile, feature: string): UnsupportedFeatureError {
  return new UnsupportedFeatureError(SPARSEBUNDLE.name, path, feature);
}
