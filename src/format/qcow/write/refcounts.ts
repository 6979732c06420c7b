/**
 * How often each cluster of the file is used.
 *
 *     refcount table (in memory)      refcount blocks (slices of them in memory)
 *     +-----------+                   +---------------------------+
 *     | block 0  -+-----------------> | cluster 0, 1, 2, ...      |
 *     | none      |                   +---------------------------+
 *
 * What no block describes is used by nobody.
 *
 * @module
 */
import type { Updates } from "../../../image/updates.ts";
import type { Attempt } from "../../../storage/attempt.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { damaged, hex } from "../errors.ts";
import type { Header } from "../header_types.ts";
import { type CountSlice, CountSlices } from "./count_slices.ts";
import { type Counts, countsOf } from "./counts.ts";
import { RefcountTable } from "./refcount_table.ts";

/** The most of a block that is read at once. */
const MAX_SLICE_BYTES = 4096;

export class Refcounts {
  /** Clusters that one block describes. */
  readonly clustersPerBlock: number;
  /** Clusters that one slice describes. */
  readonly clustersPerSlice: number;
  readonly #file: ImageFile;
  readonly #clusterBytes: number;
  readonly #counts: Counts;
  readonly #slices: CountSlices;
  #table: RefcountTable;

  /** @throws {SystemError} if the table cannot be read */
  constructor(file: ImageFile, header: Pick<Header, "clusterBytes" | "refcounts">) {
    const { clusterBytes, refcounts } = header;
    this.#file = file;
    this.#clusterBytes = clusterBytes;
    this.#counts = countsOf(refcounts.order);
    this.#slices = new CountSlices(Math.min(MAX_SLICE_BYTES, clusterBytes));
    this.clustersPerBlock = clusterBytes * 8 / this.#counts.bits;
    this.clustersPerSlice = this.#slices.sliceBytes * 8 / this.#counts.bits;
    this.#table = new RefcountTable(file, header);
  }

  get table(): RefcountTable {
    return this.#table;
  }

  /**
   * All of it has been written, and is elsewhere by now: it is read there.
   *
   * @throws {SystemError} if the table cannot be read
   */
  readAnew(header: Pick<Header, "clusterBytes" | "refcounts">): void {
    this.#slices.clear();
    this.#table = new RefcountTable(this.#file, header);
  }

  hasBlock(cluster: number): boolean {
    return this.table.blockOffset(this.#blockOf(cluster)) !== 0;
  }

  #blockOf(cluster: number): number {
    return Math.floor(cluster / this.clustersPerBlock);
  }

  #sliceOf(cluster: number): number {
    return Math.floor(cluster / this.clustersPerSlice);
  }

  /** Where a slice lies in the file; of a block that there is. */
  readonly #offsetOfSlice = (slice: number): number => {
    const first = slice * this.clustersPerSlice;
    const block = this.table.blockOffset(this.#blockOf(first));
    return block + first % this.clustersPerBlock * this.#counts.bits / 8;
  };

  /**
   * The slice that describes `cluster`, for which there is a block.
   *
   * @returns undefined if it would have to wait for the disk, as `attempt` then says
   */
  load(cluster: number, attempt: Attempt): CountSlice | undefined {
    const number = this.#sliceOf(cluster);
    const known = this.#slices.find(number);
    if (known !== undefined) return known;
    const slice = this.#slices.take();
    const { buffer } = slice;
    const hostOffset = this.#offsetOfSlice(number);
    if (!attempt.read(this.#file, buffer, 0, hostOffset, buffer.size)) return undefined;
    this.#slices.keep(number, slice);
    return slice;
  }

  /** Has the slice that describes `cluster` be zeros, as a part of a block that is new. */
  create(cluster: number): CountSlice {
    const slice = this.#slices.take();
    slice.buffer.bytes.fill(0);
    this.#slices.keep(this.#sliceOf(cluster), slice);
    return slice;
  }

  /** The first cluster from `from` on that nobody uses, or the first behind the slice. */
  nextFree(slice: CountSlice, from: number): number {
    const { view } = slice.buffer;
    const start = slice.number * this.clustersPerSlice;
    let index = from - start;
    while (index < this.clustersPerSlice && this.#counts.get(view, index) !== 0) index++;
    return start + index;
  }

  /** Whether a slice is about `cluster`. */
  describes(slice: CountSlice, cluster: number): boolean {
    return this.#sliceOf(cluster) === slice.number;
  }

  /** How many clusters from `first` on nobody uses, up to `most`, and to the end of the slice. */
  freeRun(slice: CountSlice, first: number, most: number): number {
    const { view } = slice.buffer;
    const start = first - slice.number * this.clustersPerSlice;
    const end = Math.min(start + most, this.clustersPerSlice);
    let index = start;
    while (index < end && this.#counts.get(view, index) === 0) index++;
    return index - start;
  }

  /** Has `count` clusters from `first` on be used once. */
  setUsed(slice: CountSlice, first: number, count: number): void {
    const start = first - slice.number * this.clustersPerSlice;
    for (let index = start; index < start + count; index++) {
      this.#counts.set(slice.buffer.view, index, 1);
      this.#slices.markDirty(slice, index * this.#counts.bits / 8);
    }
  }

  /**
   * Has a cluster be used once less; returns how often it still is.
   *
   * @throws {ImageFormatError} if it was not used at all
   */
  lower(slice: CountSlice, cluster: number): number {
    const index = cluster - slice.number * this.clustersPerSlice;
    const { view } = slice.buffer;
    if (this.#counts.get(view, index) === 0) {
      const hostOffset = cluster * this.#clusterBytes;
      const message = `the cluster at ${hex(hostOffset)} is in use, but counts as free`;
      throw damaged(this.#file.path, message, hostOffset);
    }
    this.#slices.markDirty(slice, index * this.#counts.bits / 8);
    return this.#counts.lower(view, index);
  }

  /** How often a cluster is used; waits for the disk, if need be. Exact up to 2^53. */
  countOf(cluster: number, attempt: Attempt): number {
    if (!this.hasBlock(cluster)) return 0;
    const slice = this.load(cluster, attempt);
    if (slice === undefined) throw new Error("a count that nobody waits for");
    return this.#counts.get(slice.buffer.view, cluster - slice.number * this.clustersPerSlice);
  }

  get isDirty(): boolean {
    return this.#slices.hasDirty || this.table.isDirty;
  }

  takeUpdates(updates: Updates): void {
    this.#slices.takeUpdates(updates, this.#file, this.#offsetOfSlice);
    this.table.takeUpdates(updates);
  }

  updated(isDurable: boolean): void {
    this.#slices.updated(isDurable);
    this.table.updated(isDurable);
  }

  /** Forgets all that can be read again. */
  clear(): void {
    this.#slices.clear();
  }
}
