/**
 * What a descriptor says of its disk. qemu knows no such thing.
 *
 * @module
 */
import type { ImageInfo } from "../../../image/info.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { readDescriptor } from "./descriptor.ts";

/** @throws as {@link readDescriptor} */
export function describeBundle(file: ImageFile): ImageInfo {
  const { sizeBytes, clusterBytes, storages, snapshots } = readDescriptor(file);
  const files = storages.map(({ images }) => images[0]?.name ?? "");
  return {
    format: "parallels",
    sizeBytes,
    clusterBytes,
    specific: { type: "parallels", data: { files, snapshots } },
  };
}
