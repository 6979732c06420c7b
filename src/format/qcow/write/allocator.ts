/**
 * Which clusters of the file are given to what, and when they are free again.
 *
 *     free ──allocate──> used ──drop──> dropped ──durable──> unused ──freeSome──> free
 *      ^                  │
 *      └────giveBack──────┘
 *
 * A cluster that has lost its last reference stays as it is until nothing on the disk refers to it: its
 * count is lowered, its bytes are given back to the file system, and it is used again, only then.
 *
 * @module
 */
import { Level, type Updates } from "../../../image/updates.ts";
import { Attempt } from "../../../storage/attempt.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { SystemError } from "../../../sys/errno.ts";
import { damaged, hex } from "../errors.ts";
import type { Header } from "../header_types.ts";
import type { Allocation } from "./allocation.ts";
import { ClusterFile } from "./cluster_file.ts";
import { ClusterRuns } from "./cluster_runs.ts";
import type { CountSlice } from "./count_slices.ts";
import { DroppedClusters } from "./dropped_clusters.ts";
import { Holes } from "./holes.ts";
import { findMetadata, type Metadata } from "./metadata_map.ts";
import { RefcountGrowth } from "./refcount_growth.ts";
import type { Refcounts } from "./refcounts.ts";
import { Reserve } from "./reserve.ts";

/** So many slices are looked at to find out whether some cluster can be used again. */
const LOOKED_AT = 16;
/** So many references are taken off clusters at once. */
const FREED_AT_ONCE = 256;
/** After so many holes it is enough: each may take a millisecond. */
const PUNCHED_AT_ONCE = 4;

/** What an allocator has to know of an image. */
export interface AllocatorParts {
  readonly header: Pick<Header, "clusterBytes">;
  readonly refcounts: Refcounts;
  readonly metadata: Metadata;
  /** Whether freed clusters are given back to the file system. */
  readonly punches: boolean;
}

export class Allocator {
  readonly #file: ImageFile;
  readonly #clusterBytes: number;
  readonly #metadata: Metadata;
  readonly #refcounts: Refcounts;
  readonly #clusterFile: ClusterFile;
  readonly #growth: RefcountGrowth;
  /** All clusters before it are used. */
  #cursor = 0;
  readonly #dropped: DroppedClusters;
  readonly #patient = new Attempt();
  /** One record for all answers. */
  readonly #allocation: Allocation = { first: 0, count: 0, isBlank: false, isCounted: false };
  #reserve: Reserve;

  constructor(file: ImageFile, { header, refcounts, metadata, punches }: AllocatorParts) {
    const { clusterBytes } = header;
    this.#file = file;
    this.#clusterBytes = clusterBytes;
    this.#metadata = metadata;
    this.#refcounts = refcounts;
    // Of a temporary file, nobody will ever see what is on the disk.
    this.#dropped = new DroppedClusters({ isOrdered: !file.isTemporary });
    this.#reserve = new Reserve(clusterBytes);
    if (file.isTemporary) this.#reserve.stop();
    const { clusters } = metadata;
    const clusterFile = new ClusterFile(file, { clusterBytes, metadata: clusters, punches });
    const dropped = this.#dropped;
    this.#clusterFile = clusterFile;
    this.#growth = new RefcountGrowth({
      file,
      clusterBytes,
      refcounts,
      metadata: clusters,
      clusterFile,
      dropped,
    });
  }

  /**
   * Has up to `most` clusters be used once.
   *
   * @returns which, good until the next call; undefined if something has to be read first, as `attempt`
   *   says
   * @throws {ImageFormatError} if what counts as free is in use
   * @throws {SystemError} ENOSPC or EFBIG if the file cannot be longer
   */
  allocate(most: number, attempt: Attempt): Allocation | undefined {
    for (;;) {
      if (!this.#refcounts.hasBlock(this.#cursor)) {
        this.#cursor = this.#growth.addBlock(this.#cursor);
      }
      const slice = this.#refcounts.load(this.#cursor, attempt);
      if (slice === undefined) return undefined;
      this.#cursor = this.#refcounts.nextFree(slice, this.#cursor);
      const count = this.#refcounts.freeRun(slice, this.#cursor, most);
      if (count > 0) return this.#use(slice, count);
    }
  }

  /**
   * Has `count` clusters be used once that lie one behind the other; waits for the disk.
   *
   * @returns the first one
   * @throws as {@link Allocator.allocate}
   */
  allocateRun(count: number): number {
    // Where a block describes fewer, there is one in between that describes the next ones.
    if (count >= this.#refcounts.clustersPerBlock) return this.#growth.addWithBlocks(count);
    const runs = new ClusterRuns();
    try {
      for (;;) {
        const have = runs.countOf(runs.runs - 1);
        if (have === count) break;
        const { first, count: more } = this.#allocatePatiently(count - have);
        runs.add(first, more);
        // What does not go on where the last run ends begins one of its own, of any length.
      }
      return runs.takeLast(count)?.[0] ?? 0;
    } finally {
      for (let run = 0; run < runs.runs; run++) this.giveBack(runs.firstOf(run), runs.countOf(run));
    }
  }

  #allocatePatiently(most: number): Allocation {
    const allocation = this.allocate(most, this.#patient);
    if (allocation === undefined) throw new Error("a count that nobody waits for");
    return allocation;
  }

  /** Takes `free` clusters from the cursor on, or those of them that are all blank, or of which none is. */
  #use(slice: CountSlice, free: number): Allocation {
    const first = this.#cursor;
    const { blankFrom } = this.#clusterFile;
    const count = first < blankFrom ? Math.min(free, blankFrom - first) : free;
    const isBlank = this.#clusterFile.claim(first, count);
    this.#cursor = first + count;
    this.#refcounts.setUsed(slice, first, count);
    const allocation = this.#allocation;
    allocation.first = first;
    allocation.count = count;
    allocation.isBlank = isBlank;
    allocation.isCounted = false;
    return allocation;
  }

  /** Up to `most` clusters out of the reserve; undefined if that is empty. */
  allocateReserved(most: number): Allocation | undefined {
    return this.#reserve.take(most, this.#allocation) ? this.#allocation : undefined;
  }

  /** Whether it would be good to reserve more clusters soon: only where there was one to be taken. */
  get isReserveLow(): boolean {
    return this.#reserve.isLow && this.#isBlank;
  }

  /** Before the reserve is filled first; throws {@link SystemError} as {@link ClusterFile.findBlankTail}. */
  findBlankTail(): void {
    this.#clusterFile.findBlankTail(this.#isUnused);
  }

  /**
   * Puts more clusters into the reserve, if there are none that could be used again. They are ready once
   * the updates are durable that are taken next.
   *
   * @throws {ImageFormatError} as {@link Allocator.allocate}
   */
  fillReserve(): void {
    try {
      for (let missing = this.#reserve.takeMissing(); missing > 0 && this.#isAtEnd();) {
        const allocation = this.allocate(missing, this.#patient);
        if (allocation === undefined) return;
        this.#reserve.add(allocation.first, allocation.count);
        missing -= allocation.count;
      }
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      // Those who need a cluster will be told.
      this.#reserve.stop();
    }
  }

  /** Whether all clusters that have ever been used are known to be in use still. */
  #isAtEnd(): boolean {
    for (let slices = 0; slices < LOOKED_AT && !this.#isBlank; slices++) {
      if (!this.#refcounts.hasBlock(this.#cursor)) return false;
      const slice = this.#refcounts.load(this.#cursor, this.#patient);
      if (slice === undefined) return false;
      this.#cursor = this.#refcounts.nextFree(slice, this.#cursor);
      if (this.#refcounts.describes(slice, this.#cursor)) break;
    }
    return this.#isBlank;
  }

  /** Whether all clusters from the cursor on have never been used. */
  get #isBlank(): boolean {
    return this.#cursor >= this.#clusterFile.blankFrom;
  }

  /** One cluster of zeros, out of the reserve if possible, or as {@link Allocator.allocate}. */
  allocateZeroed(attempt: Attempt): Allocation | undefined {
    const reserved = this.allocateReserved(1);
    if (reserved !== undefined) return reserved;
    const allocation = this.allocate(1, attempt);
    if (allocation === undefined || allocation.isBlank) return allocation;
    try {
      this.#clusterFile.writeZeros(allocation.first);
    } catch (error) {
      this.giveBack(allocation.first, 1);
      throw error;
    }
    return allocation;
  }

  /** Has clusters that have just been allocated, and are not referred to, be free again. */
  giveBack(first: number, count: number): void {
    for (let cluster = first; cluster < first + count; cluster++) this.#lower(cluster);
  }

  #lower(cluster: number): number {
    const left = this.#refcounts.lower(this.#sliceOf(cluster), cluster);
    if (left > 0) return left;
    this.#cursor = Math.min(this.#cursor, cluster);
    this.#clusterFile.hasBeenUsed(cluster);
    return left;
  }

  /** The counts of a cluster that is in use; waits for the disk. */
  #sliceOf(cluster: number): CountSlice {
    if (!this.#refcounts.hasBlock(cluster)) {
      const hostOffset = cluster * this.#clusterBytes;
      const message = `the cluster at ${hex(hostOffset)} is in use, but has no reference count`;
      throw damaged(this.#file.path, message, hostOffset);
    }
    const slice = this.#refcounts.load(cluster, this.#patient);
    if (slice === undefined) throw new Error("a count that nobody waits for");
    return slice;
  }

  /**
   * Says that in memory, nothing refers any more to `count` clusters of a guest's from the one at
   * `hostOffset` on.
   */
  drop(hostOffset: number, count: number): void {
    this.#dropped.drop(Math.floor(hostOffset / this.#clusterBytes), count);
  }

  /**
   * As {@link Allocator.drop}, of a table: it counts as metadata until it is free, for something on the disk
   * still refers to it.
   */
  retire(hostOffset: number, count: number): void {
    this.#dropped.retire(Math.floor(hostOffset / this.#clusterBytes), count);
  }

  /**
   * Says that a part of a cluster that stays in use is not read any more. It is given back to the file
   * system only in a file that no crash of the machine matters to: the disk may still refer to it.
   */
  dropPart(hostOffset: number, lengthBytes: number): void {
    if (this.#file.isVolatile) this.#clusterFile.punchBytes(hostOffset, lengthBytes);
  }

  get hasUpdates(): boolean {
    return this.#refcounts.isDirty || this.#dropped.hasNew;
  }

  /** How many runs of clusters wait until they are free. */
  get waiting(): number {
    return this.#dropped.runs;
  }

  takeUpdates(updates: Updates): void {
    this.#refcounts.takeUpdates(updates);
    this.#dropped.taken();
  }

  reached(level: Level): void {
    if (level === Level.Counts) this.#refcounts.table.countsAreDurable();
  }

  updated(isDurable: boolean): void {
    this.#refcounts.updated(isDurable);
    if (isDurable) this.#reserve.isDurable();
    this.#dropped.updated(isDurable);
  }

  /**
   * Frees some clusters that nothing durable refers to; whether there are more of them.
   *
   * @throws {ImageFormatError} if one counts as free, or is metadata that are still needed
   * @throws {SystemError} if the counts cannot be read
   */
  freeSome(): boolean {
    if (!this.#dropped.hasUnused) return false;
    let wanted = FREED_AT_ONCE;
    const holes = new Holes(this.#clusterFile);
    while (wanted > 0 && holes.punched < PUNCHED_AT_ONCE) {
      const run = this.#dropped.takeUnused(wanted);
      if (run === undefined) break;
      const [first, count] = run;
      this.#releaseRun(first, count, holes);
      wanted -= count;
    }
    holes.end();
    return this.#dropped.hasUnused;
  }

  /** Takes a reference off each of them; those whose counts cannot be read wait for the next flush. */
  #releaseRun(first: number, count: number, holes: Holes): void {
    let left = count;
    try {
      for (; left > 0; left--) {
        const cluster = first + left - 1;
        if (this.#release(cluster)) holes.add(cluster);
      }
    } catch (error) {
      if (error instanceof SystemError) this.#dropped.drop(first, left);
      holes.end();
      throw error;
    }
  }

  /** Takes a reference off a cluster; whether it is free now. */
  #release(cluster: number): boolean {
    // First what can fail.
    this.#sliceOf(cluster);
    this.#refuseNeeded(cluster);
    if (this.#lower(cluster) > 0) return false;
    this.#metadata.clusters.delete(cluster);
    return true;
  }

  /**
   * What was a guest's when it was dropped may have become metadata since, and a table that the disk shares
   * with a snapshot may count as used once: if counts are too low.
   */
  #refuseNeeded(cluster: number): void {
    const { clusters, snapshotTables } = this.#metadata;
    if (!clusters.has(cluster)) return;
    const canGo = !snapshotTables.has(cluster) ||
      this.#refcounts.countOf(cluster, this.#patient) > 1;
    if (this.#dropped.takeRetired(cluster) && canGo) return;
    const hostOffset = cluster * this.#clusterBytes;
    const message = `the metadata at ${hex(hostOffset)} are still needed`;
    throw damaged(this.#file.path, message, hostOffset);
  }

  /** Gives back what was reserved in vain, and cuts off the end of the file that nobody uses. */
  conclude(): void {
    this.#reserve.stop();
    this.#reserve.giveBack((cluster) => this.#lower(cluster));
    this.#clusterFile.cutTail(this.#isUnused);
  }

  /**
   * The tables have been written anew, elsewhere, by others, after {@link Allocator.conclude} and when
   * nothing was left to be written, or to be freed.
   *
   * @throws as {@link findMetadata}
   */
  readAnew(header: Header): void {
    this.#refcounts.readAnew(header);
    const { clusters, snapshotTables } = findMetadata(this.#file, header, this.#refcounts);
    this.#metadata.clusters.become(clusters);
    this.#metadata.snapshotTables.become(snapshotTables);
    this.#clusterFile.allHasBeenUsed();
    this.#cursor = 0;
    this.#reserve = new Reserve(this.#clusterBytes);
  }

  /** Whatever its count says, metadata is in use. */
  readonly #isUnused = (cluster: number): boolean =>
    !this.#metadata.clusters.has(cluster) && this.#refcounts.countOf(cluster, this.#patient) === 0;

  dropCaches(): void {
    this.#refcounts.clear();
    this.#clusterFile.dropCaches();
  }
}
