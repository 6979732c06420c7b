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
import { EFBIG, ENOSPC, SystemError } from "../../../sys/errno.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { damaged, hex } from "../errors.ts";
import type { Header } from "../header_types.ts";
import { MAX_REFCOUNT_TABLE_BYTES, TABLE_ENTRY_BYTES } from "../layout.ts";
import type { Allocation } from "./allocation.ts";
import type { Metadata } from "./metadata_map.ts";
import { DroppedClusters } from "./dropped_clusters.ts";
import type { ClusterSet } from "./cluster_set.ts";
import type { CountSlice } from "./count_slices.ts";
import type { Refcounts } from "./refcounts.ts";
import { Reserve } from "./reserve.ts";

/** The file gets longer by this part of what it is, as a hole, but within these bounds. */
const GROWTH = { part: 1 / 8, leastBytes: 64 * 1024, mostBytes: 16 * 1024 * 1024 } as const;
/** A refcount table gets so much longer than it has to, as in qemu. */
const TABLE_GROWTH = 1.5;
/** So many slices are looked at to find out whether some cluster can be used again. */
const LOOKED_AT = 16;
/** So many clusters are freed at once. */
const FREED_AT_ONCE = 256;
/** Zeros are written in pieces of this size. */
const ZEROS_BYTES = 64 * 1024;
/** No file is longer. */
const MAX_FILE_BYTES = 2 ** 52;

const FALLOC_FL_KEEP_SIZE = 0x01;
const FALLOC_FL_PUNCH_HOLE = 0x02;

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
  readonly #metadata: ClusterSet;
  readonly #snapshotTables: ClusterSet;
  readonly #punches: boolean;
  readonly #refcounts: Refcounts;
  /** All clusters before it are used. */
  #cursor = 0;
  /** Clusters from this one on have never been used, and are holes. */
  #blankFrom: number;
  /** Clusters from this one on are in the file only since it was opened. */
  readonly #addedFrom: number;
  readonly #dropped = new DroppedClusters();
  readonly #patient = new Attempt();
  /** One record for all answers. */
  readonly #allocation: Allocation = { first: 0, count: 0, isBlank: false, isCounted: false };
  readonly #reserve: Reserve;
  #zeros: IoBuffer | undefined;

  constructor(file: ImageFile, { header, refcounts, metadata, punches }: AllocatorParts) {
    this.#file = file;
    this.#clusterBytes = header.clusterBytes;
    this.#metadata = metadata.clusters;
    this.#snapshotTables = metadata.snapshotTables;
    this.#punches = punches;
    this.#refcounts = refcounts;
    this.#reserve = new Reserve(header.clusterBytes);
    this.#addedFrom = Math.ceil(file.sizeBytes / header.clusterBytes);
    this.#blankFrom = file.canGrow ? this.#addedFrom : Infinity;
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
      if (!this.#refcounts.hasBlock(this.#cursor)) this.#addBlock(this.#cursor);
      const slice = this.#refcounts.load(this.#cursor, attempt);
      if (slice === undefined) return undefined;
      this.#cursor = this.#refcounts.nextFree(slice, this.#cursor);
      const count = this.#refcounts.freeRun(slice, this.#cursor, most);
      if (count > 0) return this.#use(slice, count);
    }
  }

  /** Takes `free` clusters from the cursor on, or those of them that are all blank, or of which none is. */
  #use(slice: CountSlice, free: number): Allocation {
    const first = this.#cursor;
    const count = first < this.#blankFrom ? Math.min(free, this.#blankFrom - first) : free;
    const isBlank = this.#claim(first, count);
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
    return this.#reserve.isLow && this.#cursor >= this.#blankFrom;
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
    for (let slices = 0; slices < LOOKED_AT && this.#cursor < this.#blankFrom; slices++) {
      if (!this.#refcounts.hasBlock(this.#cursor)) return false;
      const slice = this.#refcounts.load(this.#cursor, this.#patient);
      if (slice === undefined) return false;
      this.#cursor = this.#refcounts.nextFree(slice, this.#cursor);
      if (this.#refcounts.describes(slice, this.#cursor)) break;
    }
    return this.#cursor >= this.#blankFrom;
  }

  /** Checks that free clusters may be used, and sees to it that the file has them; whether they are blank. */
  #claim(first: number, count: number): boolean {
    this.#refuseMetadata(first, count);
    this.#makeRoom(first, count);
    const isBlank = first >= this.#blankFrom;
    if (isBlank) this.#blankFrom = first + count;
    this.#cursor = first + count;
    return isBlank;
  }

  #refuseMetadata(first: number, count: number): void {
    for (let cluster = first; cluster < first + count; cluster++) {
      if (!this.#metadata.has(cluster)) continue;
      const hostOffset = cluster * this.#clusterBytes;
      const message = `the metadata at ${hex(hostOffset)} count as free`;
      throw damaged(this.#file.path, message, hostOffset);
    }
  }

  /** Has the file be so long that it has these clusters. */
  #makeRoom(first: number, count: number): void {
    const endBytes = (first + count) * this.#clusterBytes;
    if (endBytes > MAX_FILE_BYTES) throw new SystemError("write", EFBIG, this.#file.path);
    if (endBytes <= this.#file.sizeBytes) return;
    if (!this.#file.canGrow) throw new SystemError("write", ENOSPC, this.#file.path);
    this.#file.setSize(grownSize(endBytes, this.#clusterBytes));
  }

  /** One cluster of zeros, out of the reserve if possible, or as {@link Allocator.allocate}. */
  allocateZeroed(attempt: Attempt): Allocation | undefined {
    const reserved = this.allocateReserved(1);
    if (reserved !== undefined) return reserved;
    const allocation = this.allocate(1, attempt);
    if (allocation === undefined || allocation.isBlank) return allocation;
    try {
      this.#writeZeros(allocation.first);
    } catch (error) {
      this.giveBack(allocation.first, 1);
      throw error;
    }
    return allocation;
  }

  #writeZeros(cluster: number): void {
    const zeros = this.#zeros ??= new IoBuffer(Math.min(ZEROS_BYTES, this.#clusterBytes));
    const start = cluster * this.#clusterBytes;
    for (let at = 0; at < this.#clusterBytes; at += zeros.size) {
      this.#file.write(zeros, 0, start + at, zeros.size);
    }
  }

  /** Has clusters that have just been allocated, and are not referred to, be free again. */
  giveBack(first: number, count: number): void {
    for (let cluster = first; cluster < first + count; cluster++) this.#lower(cluster);
  }

  #lower(cluster: number): number {
    if (!this.#refcounts.hasBlock(cluster)) {
      const hostOffset = cluster * this.#clusterBytes;
      const message = `the cluster at ${hex(hostOffset)} is in use, but has no reference count`;
      throw damaged(this.#file.path, message, hostOffset);
    }
    const slice = this.#refcounts.load(cluster, this.#patient);
    if (slice === undefined) throw new Error("a count that nobody waits for");
    const left = this.#refcounts.lower(slice, cluster);
    if (left > 0) return left;
    this.#cursor = Math.min(this.#cursor, cluster);
    // Of an image that was cut off, what lies behind its end may have been written since.
    this.#blankFrom = Math.max(this.#blankFrom, cluster + 1);
    return left;
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

  /** The block for `cluster`, which is none yet: the cluster itself, so that it describes itself. */
  #addBlock(cluster: number): void {
    const { table, clustersPerBlock } = this.#refcounts;
    const index = Math.floor(cluster / clustersPerBlock);
    if (index >= table.entries) return this.#growTable(cluster, index);
    if (!this.#claim(cluster, 1)) this.#writeZeros(cluster);
    this.#useAsBlock(index, cluster);
    this.#useAll(cluster, 1);
  }

  #useAsBlock(index: number, cluster: number): void {
    this.#refcounts.table.setBlock(index, cluster * this.#clusterBytes);
    this.#metadata.add(cluster);
  }

  /**
   * A longer table, with an entry for block `index`: at `first`, from which on all clusters are free, and
   * none has a block. The blocks that describe it follow it.
   */
  #growTable(first: number, index: number): void {
    const { table, clustersPerBlock } = this.#refcounts;
    const [oldOffset, oldBytes] = [table.offset, table.sizeBytes];
    const wanted = Math.max(index + 4, table.entries * TABLE_GROWTH) * TABLE_ENTRY_BYTES;
    const tableClusters = Math.ceil(wanted / this.#clusterBytes);
    if (tableClusters * this.#clusterBytes > MAX_REFCOUNT_TABLE_BYTES) {
      throw new SystemError("write", EFBIG, this.#file.path);
    }
    const blocks = blocksFor(first, tableClusters, clustersPerBlock);
    const count = tableClusters + blocks;
    const isBlank = this.#claim(first, count);
    for (let n = 0; n < blocks && !isBlank; n++) this.#writeZeros(first + tableClusters + n);
    table.moveTo(first * this.#clusterBytes, tableClusters * this.#clusterBytes);
    for (let n = 0; n < tableClusters; n++) this.#metadata.add(first + n);
    for (let n = 0; n < blocks; n++) this.#useAsBlock(index + n, first + tableClusters + n);
    this.#useAll(first, count);
    this.retire(oldOffset, oldBytes / this.#clusterBytes);
  }

  /** Has clusters be used that only blocks describe which are new. */
  #useAll(first: number, count: number): void {
    const { clustersPerSlice } = this.#refcounts;
    for (let at = first; at < first + count;) {
      const end = Math.min(
        first + count,
        (Math.floor(at / clustersPerSlice) + 1) * clustersPerSlice,
      );
      this.#refcounts.setUsed(this.#refcounts.create(at), at, end - at);
      at = end;
    }
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
   * @throws {SystemError} if the counts cannot be read, or the file cannot be changed
   */
  freeSome(): boolean {
    const run = this.#dropped.takeUnused(FREED_AT_ONCE);
    if (run === undefined) return false;
    const [first, count] = run;
    let free = 0;
    for (let cluster = first; cluster < first + count; cluster++) {
      this.#refuseNeeded(cluster);
      if (this.#lower(cluster) === 0) {
        this.#metadata.delete(cluster);
        free++;
        continue;
      }
      this.#punch(cluster - free, free);
      free = 0;
    }
    this.#punch(first + count - free, free);
    return this.#dropped.hasUnused;
  }

  /**
   * What was a guest's when it was dropped may have become metadata since, and a table that the disk shares
   * with a snapshot may count as used once: if counts are too low.
   */
  #refuseNeeded(cluster: number): void {
    if (!this.#metadata.has(cluster)) return;
    const canGo = !this.#snapshotTables.has(cluster) ||
      this.#refcounts.countOf(cluster, this.#patient) > 1;
    if (this.#dropped.takeRetired(cluster) && canGo) return;
    const hostOffset = cluster * this.#clusterBytes;
    throw damaged(
      this.#file.path,
      `the metadata at ${hex(hostOffset)} are still needed`,
      hostOffset,
    );
  }

  /** That it cannot be done only means that the file stays as large as it is. */
  #punch(first: number, count: number): void {
    if (count === 0 || !this.#punches) return;
    const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    try {
      this.#file.allocate(mode, first * this.#clusterBytes, count * this.#clusterBytes);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }

  /** Gives back what was reserved in vain, and cuts off the end of the file that nobody uses. */
  conclude(): void {
    this.#reserve.stop();
    const reserved = this.#reserve.takeAll();
    for (let run = 0; run < reserved.runs; run++) {
      this.giveBack(reserved.firstOf(run), reserved.countOf(run));
    }
    this.#cutTail();
  }

  /** Whatever the counts say: nothing that was there when the file was opened, and no metadata. */
  #cutTail(): void {
    if (!this.#file.canGrow) return;
    let end = Math.ceil(this.#file.sizeBytes / this.#clusterBytes);
    while (end > this.#addedFrom && this.#isUnused(end - 1)) end--;
    const endBytes = end * this.#clusterBytes;
    if (endBytes < this.#file.sizeBytes) this.#file.setSize(endBytes);
  }

  #isUnused(cluster: number): boolean {
    return !this.#metadata.has(cluster) && this.#refcounts.countOf(cluster, this.#patient) === 0;
  }

  dropCaches(): void {
    this.#refcounts.clear();
    this.#zeros = undefined;
  }
}

/** How long a file becomes that has to be `endBytes` long: a multiple of powers of two. */
function grownSize(endBytes: number, clusterBytes: number): number {
  const { part, leastBytes, mostBytes } = GROWTH;
  const wanted = 2 ** Math.floor(Math.log2(endBytes * part));
  const stepBytes = Math.max(clusterBytes, Math.min(Math.max(wanted, leastBytes), mostBytes));
  return Math.ceil(endBytes / stepBytes) * stepBytes;
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
