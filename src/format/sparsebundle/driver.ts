/**
 * What is loaded of the SPARSEBUNDLE driver once there is a file to be opened or described.
 *
 * @module
 */
import type { Image, OpenOptions } from "../../image/driver.ts";
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { SPARSEBUNDLE } from "../../image/formats.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { BundledDisk } from "./image.ts";
import { BAND_NAME, BANDS_FOLDER, TOKEN } from "./layout.ts";
import { readPropertyList } from "./property_list.ts";

/**
 * All bands are opened at once: a daemon has no way to them later.
 *
 * @throws as {@link readPropertyList} and {@link RelatedFiles}
 * @throws {UnsupportedFeatureError} if it is encrypted
 */
export function open(file: ImageFile, { related }: OpenOptions): Image {
  const info = readPropertyList(file);
  if (related === undefined) throw unsupported(file, "bands");
  const tokens = related.openPiecesIn(file, "", (name) => name === TOKEN);
  if (tokens.length > 0) throw unsupported(file, "encryption");
  const bands = Math.ceil(info.sizeBytes / info.bandBytes);
  const isBand = (name: string): boolean => BAND_NAME.test(name) && parseInt(name, 16) < bands;
  return new BundledDisk(info, related.openPiecesIn(file, BANDS_FOLDER, isBand));
}

/** @throws as {@link readPropertyList} */
export function info(file: ImageFile): ImageInfo {
  const { sizeBytes, bandBytes } = readPropertyList(file);
  return { format: "sparsebundle", sizeBytes, clusterBytes: bandBytes };
}

function unsupported({ path }: ImageFile, feature: string): UnsupportedFeatureError {
  return new UnsupportedFeatureError(SPARSEBUNDLE.name, path, feature);
}
