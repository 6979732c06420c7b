/**
 * How compressed clusters are stored (specification, "Compressed Clusters Descriptor").
 *
 * @module
 */
import { CompressionMethod } from "../../image/decoding.ts";
import { CompressionType } from "./layout.ts";

/** By the header's compression_type. */
const METHODS: ReadonlyMap<number, CompressionMethod> = new Map([
  [CompressionType.zlib, CompressionMethod.Deflate],
  [CompressionType.zstd, CompressionMethod.Zstd],
]);

/** Whether this driver can read clusters of a compression type. */
export function isKnownCompression(type: number): boolean {
  return METHODS.has(type);
}

/** How the clusters of an image are compressed; of types this driver knows. */
export function compressionMethod(type: number): CompressionMethod {
  return METHODS.get(type) ?? CompressionMethod.Deflate;
}
