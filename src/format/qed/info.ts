/**
 * What an image says of itself.
 *
 * @module
 */
import { exact } from "../../image/exact.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { readBacking, readFields } from "./header.ts";
import { Feature } from "./layout.ts";

/** @throws as {@link readFields} */
export function describeQed(file: ImageFile): ImageInfo {
  const fields = readFields(file);
  const backing = readBacking(fields, file);
  return {
    format: "qed",
    sizeBytes: exact(fields.image_size),
    clusterBytes: fields.cluster_size,
    dirty: (fields.features & Feature.needCheck) !== 0n,
    ...(backing === undefined ? {} : { backing }),
  };
}
