/**
 * What an image of version 1 says of itself.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import type { ImageInfo } from "../../image/info.ts";
import { CryptMethod } from "../qcow/layout.ts";
import { readHeader } from "./header.ts";

/** @throws as {@link readHeader} */
export function describeQcow1(file: ImageFile): ImageInfo {
  const { backingName, clusterBytes, cryptMethod, sizeBytes } = readHeader(file);
  return {
    format: "qcow",
    sizeBytes,
    clusterBytes,
    dirty: false,
    ...(cryptMethod === CryptMethod.none ? {} : { encrypted: true }),
    ...(backingName === undefined ? {} : { backing: { name: backingName, format: undefined } }),
  };
}
