/**
 * Reading L2 tables in the order of the file: those that lie side by side together.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import type { ClusterCounts } from "./cluster_counts.ts";
import { PIECE_BYTES } from "./entry_lists.ts";

/** Which tables to read: those of the clusters whose number is not 0. */
export interface WantedTables {
  readonly clusterBytes: number;
  readonly clusters: ClusterCounts;
}

/** Called with where a table is in `view`, and which cluster of the file it is. */
export type TakeTable = (view: DataView, position: number, cluster: number) => void;

/** Calls `take` for one table after the other; throws as {@link ImageFile.read}. */
export function forEachTable(
  file: ImageFile,
  { clusterBytes, clusters }: WantedTables,
  take: TakeTable,
): void {
  const pieceClusters = Math.max(1, PIECE_BYTES / clusterBytes);
  const buffer = new IoBuffer(pieceClusters * clusterBytes);
  let piece = -Infinity;
  for (const cluster of clusters.clusters()) {
    if (cluster >= piece + pieceClusters) {
      piece = cluster;
      const count = clustersToRead(clusters, cluster, pieceClusters);
      file.read(buffer, 0, cluster * clusterBytes, count * clusterBytes);
    }
    take(buffer.view, (cluster - piece) * clusterBytes, cluster);
  }
}

/** How many clusters to read from a table on: up to the last table that is near. */
function clustersToRead(clusters: ClusterCounts, first: number, most: number): number {
  let count = most;
  while (count > 1 && clusters.get(first + count - 1) === 0) count--;
  return count;
}
