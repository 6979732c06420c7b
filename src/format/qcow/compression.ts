/**
 * How compressed clusters are stored (specification, "Compressed Clusters Descriptor").
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import type { OpenOptions } from "../../image/driver.ts";
import type { CompressedLayout } from "../compressed_clusters.ts";
import type { Decompressor } from "../decompressor.ts";
import { createInflater } from "../inflate.ts";
import { createZstdDecoder } from "../zstd.ts";
import { FORMAT } from "./errors.ts";
import type { Header } from "./header.ts";
import { CompressionType } from "./layout.ts";

/** By the header's compression_type. */
const DECOMPRESSORS: ReadonlyMap<number, () => Decompressor> = new Map([
  [CompressionType.zlib, createInflater],
  [CompressionType.zstd, createZstdDecoder],
]);

/** Whether this driver can read clusters of a compression type. */
export function isKnownCompression(type: number): boolean {
  return DECOMPRESSORS.has(type);
}

/** What {@link CompressedClusters} has to know of an image. */
export function compressedLayout(
  header: Header,
  { dataCacheBytes = DEFAULT_CACHES.dataCacheBytes }: OpenOptions,
): CompressedLayout {
  const { clusterBytes, sizeBytes, compressionType } = header;
  return {
    format: FORMAT,
    clusterBytes,
    sizeBytes,
    // the sector count of a descriptor can reach twice the size of a cluster
    maxStoredBytes: 2 * clusterBytes,
    createDecompressor: DECOMPRESSORS.get(compressionType) ?? createInflater,
    cacheBytes: dataCacheBytes,
  };
}
