/**
 * How often each cluster has to count as used once an image is repaired.
 *
 * @module
 */
import type { Header } from "../header_types.ts";
import { TABLE_ENTRY_BYTES } from "../layout.ts";
import { ClusterCounts, CountMemory } from "./cluster_counts.ts";
import type { References } from "./references.ts";
import type { StoredCounts } from "./stored_counts.ts";
import type { Survey } from "./survey.ts";

export class RightCounts {
  /** The largest count that the image can store. */
  readonly most: number;
  readonly #references: References;
  readonly #stored: StoredCounts;
  /** Whether nothing is to become free. */
  readonly #keepsAll: boolean;
  /** What the refcount structures and the L1 table had, which are about to be elsewhere. */
  readonly #released = new ClusterCounts(1, new CountMemory());

  constructor({ references, stored, findings }: Survey) {
    this.most = references.most;
    this.#references = references;
    this.#stored = stored;
    this.#keepsAll = findings.isPartlyUnreadable;
  }

  get(cluster: number): number {
    const references = Math.min(this.#references.counts.get(cluster), this.most);
    if (!this.#keepsAll || this.#released.get(cluster) > 0) return references;
    return Math.max(references, this.#stored.get(cluster));
  }

  /** All references to a cluster, be they more than can be stored. */
  referencesTo(cluster: number): number {
    return this.#references.counts.get(cluster);
  }

  /** A cluster gets so many references more, or less. */
  change(cluster: number, by: number): void {
    this.#references.counts.add(cluster, by);
  }

  /** Whether a cluster is free, and always has been. */
  isFree(cluster: number): boolean {
    return !this.#references.isReferredTo(cluster) && this.#stored.get(cluster) === 0 &&
      this.#released.get(cluster) === 0;
  }

  /** Behind the last cluster that may be used. */
  get endOfKnown(): number {
    return this.#references.endOfKnown;
  }

  /** Clusters that have to count as used, in no order; some more than once. */
  *used(): Generator<number> {
    yield* this.#references.counts.clusters();
    if (!this.#keepsAll) return;
    for (const cluster of this.#stored.counts.clusters()) if (this.get(cluster) > 0) yield cluster;
  }

  /** The refcount table, its blocks and the L1 table are not used any more. */
  releaseStructures({ clusterBytes, refcounts, l1Offset, l1AllEntries }: Header): void {
    const release = (hostOffset: number, lengthBytes: number): void => {
      const end = (hostOffset + lengthBytes) / clusterBytes;
      for (let cluster = hostOffset / clusterBytes; cluster < end; cluster++) {
        this.#release(cluster);
      }
    };
    const { tableOffset, tableEntries } = refcounts;
    const tableBytes = tableEntries * TABLE_ENTRY_BYTES;
    if (this.#references.isInFile(tableOffset, tableBytes)) release(tableOffset, tableBytes);
    release(l1Offset, l1AllEntries * TABLE_ENTRY_BYTES);
    const { endCluster } = this.#references;
    for (let index = 0; index < this.#stored.tableEntries; index++) {
      const offset = this.#stored.blockOffset(index);
      const isCounted = offset !== 0 && this.#stored.faultOf(index) === "none";
      if (isCounted && offset / clusterBytes < endCluster) release(offset, clusterBytes);
    }
  }

  #release(cluster: number): void {
    this.#references.counts.add(cluster, -1);
    this.#released.set(cluster, 1);
  }
}
