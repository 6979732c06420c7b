/**
 * What an expanding image says of itself.
 *
 * @module
 */
import { exact } from "../../image/exact.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { diskSize, isInUse, readFields } from "./header.ts";
import { SECTOR_BYTES } from "./layout.ts";

/** @throws as {@link readFields} */
export function describeExpanding(file: ImageFile): ImageInfo {
  const fields = readFields(file);
  return {
    format: "parallels",
    sizeBytes: exact(diskSize(fields)),
    clusterBytes: fields.tracks * SECTOR_BYTES,
    dirty: isInUse({ inUse: fields.inuse }),
  };
}
