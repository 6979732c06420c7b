/**
 * Why some images are only read.
 *
 * @module
 */
import type { Descriptor } from "../bundle/descriptor.ts";
import type { Header } from "../header.ts";

/** Of a larger cluster, the rest takes too much memory where only a part of it is written. */
const MAX_WRITTEN_CLUSTER_BYTES = 16 * 1024 * 1024;

/** What of an expanding image cannot be written to; undefined if all can. */
export function obstacleInHeader(header: Header): string | undefined {
  const { clusterBytes, extensionOffset, entries, sizeBytes } = header;
  if (clusterBytes > MAX_WRITTEN_CLUSTER_BYTES) return `clusters of ${clusterBytes} bytes`;
  if (extensionOffset !== 0n) return "extensions";
  return entries * clusterBytes < sizeBytes ? "disks longer than the BAT" : undefined;
}

/** The same of a disk that is a folder, without looking into its files. */
export function obstacleInBundle({ storages, clusterBytes }: Descriptor): string | undefined {
  const isTorn = storages.slice(0, -1).some(({ sizeBytes }) => sizeBytes % clusterBytes !== 0);
  return isTorn ? "parts that end within a cluster" : undefined;
}
