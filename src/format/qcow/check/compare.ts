/**
 * Comparing how often each cluster is referred to with what its count says.
 *
 * @module
 */
import { CHUNK_CLUSTERS, type ClusterCounts } from "./cluster_counts.ts";
import type { Findings } from "./findings.ts";
import type { References } from "./references.ts";
import type { StoredCounts } from "./stored_counts.ts";

export interface Compared {
  readonly findings: Findings;
  readonly references: References;
  readonly stored: StoredCounts;
}

/**
 * Reports each cluster that counts as used too often or too seldom.
 *
 * @returns the last one that is used, or said to be
 */
export function compareCounts({ findings, references, stored }: Compared): number {
  const { endCluster, counts, most } = references;
  stored.loadUpTo(endCluster);
  let last = 0;
  for (const first of chunksOf(counts, stored.counts)) {
    const referred = counts.chunkOf(first);
    const counted = stored.counts.chunkOf(first);
    const size = Math.min(CHUNK_CLUSTERS, endCluster - first);
    for (let at = 0; at < size; at++) {
      const reference = Math.min(referred?.[at] ?? 0, most);
      const count = counted?.[at] ?? 0;
      if (reference === 0 && count === 0) continue;
      last = first + at;
      if (reference !== count) compareOne(findings, last, count, reference);
    }
  }
  return last;
}

function compareOne(findings: Findings, cluster: number, count: number, reference: number): void {
  const describe = (): string => `cluster ${cluster} refcount=${count} reference=${reference}`;
  if (count === 0) findings.rebuild();
  if (count > reference) findings.leak(describe);
  else findings.corrupt(describe);
}

/** The first cluster of each chunk that either has, in their order. */
function chunksOf(one: ClusterCounts, other: ClusterCounts): number[] {
  return [...new Set([...one.chunks(), ...other.chunks()])].sort((a, b) => a - b);
}
