/**
 * New refcount blocks, and a new table of them, which count themselves as well.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { damaged } from "../errors.ts";
import type { Header } from "../header_types.ts";
import { MAX_REFCOUNT_TABLE_BYTES, TABLE_ENTRY_BYTES } from "../layout.ts";
import { type Counts, countsOf } from "../write/counts.ts";
import type { FreshClusters } from "./fresh_clusters.ts";
import type { RightCounts } from "./right_counts.ts";

/** Where the new table is. */
export interface BuiltTable {
  readonly hostOffset: number;
  readonly clusters: number;
}

export class RefcountBuilder {
  readonly #file: ImageFile;
  readonly #clusterBytes: number;
  readonly #encoding: Counts;
  readonly #clustersPerBlock: number;
  readonly #counts: RightCounts;
  readonly #fresh: FreshClusters;
  /** The cluster of each block, by its index. */
  readonly #blocks = new Map<number, number>();
  #lastIndex = -1;

  constructor(
    file: ImageFile,
    { clusterBytes, refcounts }: Pick<Header, "clusterBytes" | "refcounts">,
    { counts, fresh }: { readonly counts: RightCounts; readonly fresh: FreshClusters },
  ) {
    this.#file = file;
    this.#clusterBytes = clusterBytes;
    this.#encoding = countsOf(refcounts.order);
    this.#clustersPerBlock = clusterBytes * 8 / this.#encoding.bits;
    this.#counts = counts;
    this.#fresh = fresh;
  }

  /** Writes blocks for all that is used, and then the table; throws as {@link ImageFile.write}. */
  build(): BuiltTable {
    for (const cluster of this.#counts.used()) this.#needBlock(cluster);
    const table = this.#takeTable();
    for (const [index, cluster] of this.#blocks) this.#writeBlock(index, cluster);
    this.#writeTable(table);
    return table;
  }

  /** Has a cluster be described, and the block that does it, too. */
  #needBlock(cluster: number): void {
    let needed = cluster;
    for (;;) {
      const index = Math.floor(needed / this.#clustersPerBlock);
      if (this.#blocks.has(index)) return;
      needed = this.#fresh.take(1);
      this.#blocks.set(index, needed);
      this.#lastIndex = Math.max(this.#lastIndex, index);
    }
  }

  #takeTable(): BuiltTable {
    let clusters = 0;
    let first = 0;
    while (clusters < this.#neededClusters) {
      for (let n = 0; n < clusters; n++) this.#counts.change(first + n, -1);
      clusters = this.#neededClusters;
      first = this.#fresh.take(clusters);
      for (let n = 0; n < clusters; n++) this.#needBlock(first + n);
    }
    return { hostOffset: first * this.#clusterBytes, clusters };
  }

  /** Clusters that a table for all blocks takes. */
  get #neededClusters(): number {
    const bytes = (this.#lastIndex + 1) * TABLE_ENTRY_BYTES;
    if (bytes > MAX_REFCOUNT_TABLE_BYTES) {
      throw damaged(this.#file.path, "the refcount table would be too large");
    }
    return Math.ceil(bytes / this.#clusterBytes);
  }

  #writeBlock(index: number, cluster: number): void {
    const block = new IoBuffer(this.#clusterBytes);
    const first = index * this.#clustersPerBlock;
    for (let n = 0; n < this.#clustersPerBlock; n++) {
      const count = this.#counts.get(first + n);
      if (count > 0) this.#encoding.set(block.view, n, count);
    }
    this.#file.write(block, 0, cluster * this.#clusterBytes, block.size);
  }

  #writeTable({ hostOffset, clusters }: BuiltTable): void {
    const table = new IoBuffer(clusters * this.#clusterBytes);
    for (const [index, cluster] of this.#blocks) {
      const offset = BigInt(cluster * this.#clusterBytes);
      table.view.setBigUint64(index * TABLE_ENTRY_BYTES, offset);
    }
    this.#file.write(table, 0, hostOffset, table.size);
  }
}
