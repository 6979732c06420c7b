/**
 * How compressed clusters are stored (specification, "Compressed Clusters Descriptor").
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import { CompressionMethod } from "../../image/decoding.ts";
import type { OpenOptions } from "../../image/driver.ts";
import type { CompressedLayout } from "../compressed_clusters.ts";
import { FORMAT } from "./errors.ts";
import type { Header } from "./header_types.ts";
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

/** What {@link CompressedClusters} has to know of an image. */
export function compressedLayout(
  header: Header,
  { dataCacheBytes = DEFAULT_CACHES.dataCacheBytes, decoding, clusterCaches }: OpenOptions,
): CompressedLayout {
  const { clusterBytes, sizeBytes, compressionType } = header;
  return {
    format: FORMAT,
    clusterBytes,
    sizeBytes,
    // the sector count of a descriptor can reach twice the size of a cluster
    maxStoredBytes: 2 * clusterBytes,
    method: METHODS.get(compressionType) ?? CompressionMethod.Deflate,
    decoding,
    cacheBytes: dataCacheBytes,
    caches: clusterCaches,
  };
}
