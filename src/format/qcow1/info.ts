/**
 * What an image of version 1 says of itself.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { exact } from "../../image/exact.ts";
import type { ImageInfo } from "../../image/info.ts";
import { CryptMethod } from "../qcow/layout.ts";
import { diskSize, readBackingName, readFields } from "./header.ts";

/** @throws as {@link readFields} */
export function describeQcow1(file: ImageFile): ImageInfo {
  const fields = readFields(file);
  const backingName = readBackingName(fields, file);
  return {
    format: "qcow",
    sizeBytes: exact(diskSize(fields)),
    clusterBytes: 2 ** fields.cluster_bits,
    dirty: false,
    ...(fields.crypt_method === CryptMethod.none ? {} : { encrypted: true }),
    ...(backingName === undefined ? {} : { backing: { name: backingName, format: undefined } }),
  };
}
