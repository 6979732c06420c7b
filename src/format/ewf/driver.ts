/**
 * What is loaded of the EWF driver once there is a file to be opened or described.
 *
 * @module
 */
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { segmentNumber } from "./sections.ts";
import { findVolume } from "./volume.ts";

export { contentSteps } from "./digests.ts";
export { openEwf as open } from "./open.ts";

/** @throws as {@link findVolume} */
export function info(file: ImageFile): ImageInfo {
  segmentNumber(file);
  const { sizeBytes, chunkBytes, sectorBytes, setId } = findVolume(file);
  const id = setId === undefined ? {} : { "set-identifier": setId };
  const data = { "sector-size": sectorBytes, ...id };
  return { format: "ewf", sizeBytes, clusterBytes: chunkBytes, specific: { type: "ewf", data } };
}
