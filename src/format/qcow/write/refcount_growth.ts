/**
 * More refcount blocks, and a longer table where that has no room for them. Both lie in clusters that
 * the new blocks describe themselves.
 *
 *     | first: new table ... | block | block ... |      <- all of these are counted in the blocks
 *
 * @module
 */
import { EFBIG, SystemError } from "../../../sys/errno.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { MAX_REFCOUNT_TABLE_BYTES, TABLE_ENTRY_BYTES } from "../layout.ts";
import type { ClusterFile } from "./cluster_file.ts";
import type { ClusterSet } from "./cluster_set.ts";
import type { DroppedClusters } from "./dropped_clusters.ts";
import type { Refcounts } from "./refcounts.ts";

/** A refcount table gets so much longer than it has to, as in qemu. */
const TABLE_GROWTH = 1.5;

export interface RefcountGrowthParts {
  readonly file: ImageFile;
  readonly clusterBytes: number;
  readonly refcounts: Refcounts;
  /** Clusters that hold metadata. */
  readonly metadata: ClusterSet;
  readonly clusterFile: ClusterFile;
  readonly dropped: DroppedClusters;
}

export class RefcountGrowth {
  readonly #parts: RefcountGrowthParts;

  constructor(parts: RefcountGrowthParts) {
    this.#parts = parts;
  }

  /**
   * Has there be a block for `cluster`, which is none yet: the cluster itself, so that it describes itself.
   *
   * @returns the first cluster behind those that this takes
   * @throws {ImageFormatError} if one of them is in use
   * @throws {SystemError} if the file or the table cannot be longer
   */
  addBlock(cluster: number): number {
    const { clusterFile, refcounts: { table, clustersPerBlock } } = this.#parts;
    const index = Math.floor(cluster / clustersPerBlock);
    if (index >= table.entries) return this.#growTable(cluster, index);
    if (!clusterFile.claim(cluster, 1)) clusterFile.writeZeros(cluster);
    this.#useAsBlock(index, cluster);
    this.#useAll(cluster, 1);
    return cluster + 1;
  }

  /**
   * Has `count` clusters be used once of which none had a block: from the first one on that no block
   * describes, nor any behind it. The new blocks follow.
   *
   * @returns the first cluster
   * @throws as {@link RefcountGrowth.addBlock}
   */
  addWithBlocks(count: number): number {
    const { table, clustersPerBlock } = this.#parts.refcounts;
    for (;;) {
      const index = table.usedEntries;
      const first = index * clustersPerBlock;
      const blocks = blocksFor(first, count, clustersPerBlock);
      if (index + blocks > table.entries) {
        this.#growTable(first, index);
        continue;
      }
      this.#claimWithBlocks(first, count, blocks);
      this.#useWithBlocks(first, count, blocks);
      return first;
    }
  }

  #useAsBlock(index: number, cluster: number): void {
    const { clusterBytes, metadata, refcounts } = this.#parts;
    refcounts.table.setBlock(index, cluster * clusterBytes);
    metadata.add(cluster);
  }

  /**
   * A longer table, with an entry for block `index`: at `first`, from which on all clusters are free, and
   * none has a block. The blocks that describe it follow it.
   */
  #growTable(first: number, index: number): number {
    const { clusterBytes, dropped, metadata, refcounts } = this.#parts;
    const { table, clustersPerBlock } = refcounts;
    const [oldOffset, oldBytes] = [table.offset, table.sizeBytes];
    const tableClusters = this.#tableClusters(index);
    const blocks = blocksFor(first, tableClusters, clustersPerBlock);
    this.#claimWithBlocks(first, tableClusters, blocks);
    table.moveTo(first * clusterBytes, tableClusters * clusterBytes);
    for (let n = 0; n < tableClusters; n++) metadata.add(first + n);
    this.#useWithBlocks(first, tableClusters, blocks);
    dropped.retire(oldOffset / clusterBytes, oldBytes / clusterBytes);
    return first + tableClusters + blocks;
  }

  /** Claims `count` clusters, and behind them those of `blocks` blocks, which become zeros. */
  #claimWithBlocks(first: number, count: number, blocks: number): void {
    const { clusterFile } = this.#parts;
    const isBlank = clusterFile.claim(first, count + blocks);
    for (let n = 0; n < blocks && !isBlank; n++) clusterFile.writeZeros(first + count + n);
  }

  #useWithBlocks(first: number, count: number, blocks: number): void {
    const index = Math.floor(first / this.#parts.refcounts.clustersPerBlock);
    for (let n = 0; n < blocks; n++) this.#useAsBlock(index + n, first + count + n);
    this.#useAll(first, count + blocks);
  }

  #tableClusters(index: number): number {
    const { clusterBytes, file, refcounts: { table } } = this.#parts;
    const wanted = Math.max(index + 4, table.entries * TABLE_GROWTH) * TABLE_ENTRY_BYTES;
    const tableClusters = Math.ceil(wanted / clusterBytes);
    if (tableClusters * clusterBytes > MAX_REFCOUNT_TABLE_BYTES) {
      throw new SystemError("write", EFBIG, file.path);
    }
    return tableClusters;
  }

  /** Has clusters be used that only blocks describe which are new. */
  #useAll(first: number, count: number): void {
    const { refcounts } = this.#parts;
    const { clustersPerSlice } = refcounts;
    for (let at = first; at < first + count;) {
      const sliceEnd = (Math.floor(at / clustersPerSlice) + 1) * clustersPerSlice;
      const end = Math.min(first + count, sliceEnd);
      refcounts.setUsed(refcounts.create(at), at, end - at);
      at = end;
    }
  }
}

/** How many blocks describe `tableClusters` from `first` on, and themselves behind them. */
function blocksFor(first: number, tableClusters: number, clustersPerBlock: number): number {
  const firstBlock = Math.floor(first / clustersPerBlock);
  let blocks = 1;
  for (;;) {
    const last = first + tableClusters + blocks - 1;
    const wanted = Math.floor(last / clustersPerBlock) - firstBlock + 1;
    if (wanted <= blocks) return blocks;
    blocks = wanted;
  }
}
