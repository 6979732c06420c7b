/**
 * Where new clusters and tables come from. Nothing says which parts of the file are used, so only what
 * lies behind its end is certainly nobody's: it gets longer. What an image gives up stays where it is, as
 * in qemu.
 *
 *     | in the file when it was opened | given out since | reserved | behind the end
 *                                                                   ^ #cursor
 *
 * What is reserved is a part of the file durably: after a crash, what comes next lies behind it. So what
 * refers to it may be written at once, wherever it shows zeros.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { SystemError } from "../../sys/errno.ts";
import type { Allocation } from "../qcow/write/allocation.ts";
import { ClusterFile } from "../qcow/write/cluster_file.ts";
import { ClusterRuns } from "../qcow/write/cluster_runs.ts";
import { ClusterSet } from "../qcow/write/cluster_set.ts";
import { Reserve } from "../qcow/write/reserve.ts";

/** What is to be known of the image. */
export interface FileEndParts {
  readonly clusterBytes: number;
  /** Whether something could be written at once that refers to clusters kept in reserve. */
  readonly reserves: boolean;
}

export class FileEnd {
  readonly #file: ImageFile;
  readonly #clusterBytes: number;
  #clusterFile: ClusterFile;
  readonly #reserve: Reserve;
  /** What has been given out, but came back without anything ever having referred to it. */
  readonly #returned = new ClusterRuns();
  /** The first cluster that has never been given out. */
  #cursor: number;
  /** One record for all answers. */
  readonly #allocation: Allocation = { first: 0, count: 0, isBlank: false, isCounted: false };

  constructor(file: ImageFile, { clusterBytes, reserves }: FileEndParts) {
    this.#file = file;
    this.#clusterBytes = clusterBytes;
    this.#clusterFile = clustersOf(file, clusterBytes);
    this.#cursor = Math.ceil(file.sizeBytes / clusterBytes);
    this.#reserve = new Reserve(clusterBytes);
    if (!reserves || !file.canGrow) this.#reserve.stop();
  }

  /** The file was cut off, before anything was given out. */
  startAnew(): void {
    this.#clusterFile = clustersOf(this.#file, this.#clusterBytes);
    this.#cursor = Math.ceil(this.#file.sizeBytes / this.#clusterBytes);
  }

  /** All that may be used ends before this offset in the file. */
  get endBytes(): number {
    return this.#cursor * this.#clusterBytes;
  }

  /**
   * Gives out up to `most` clusters, which lie side by side.
   *
   * @returns which, good until the next call
   * @throws {SystemError} ENOSPC or EFBIG if the file cannot be longer
   */
  allocate(most: number): Allocation {
    const allocation = this.#allocation;
    const returned = this.#returned.takeFirst(most);
    if (returned !== undefined) {
      [allocation.first, allocation.count] = returned;
      allocation.isBlank = false;
      allocation.isCounted = false;
      return allocation;
    }
    if (this.#reserve.take(most, allocation)) return allocation;
    return this.#allocateAtEnd(most);
  }

  /** As {@link FileEnd.allocate}, but all of them; in between, none is left that nobody uses, if possible. */
  allocateWhole(count: number): Allocation {
    const allocation = this.allocate(count);
    let { first, count: got, isBlank, isCounted } = allocation;
    while (got < count) {
      const next = this.allocate(count - got);
      if (next.first !== first + got) {
        this.giveBack(first, got);
        this.giveBack(next.first, next.count);
        return this.#allocateAtEnd(count);
      }
      got += next.count;
      isBlank &&= next.isBlank;
      isCounted &&= next.isCounted;
    }
    return Object.assign(allocation, { first, count, isBlank, isCounted });
  }

  /** All of them, one behind the other, behind all others. */
  #allocateAtEnd(count: number): Allocation {
    const allocation = this.#allocation;
    allocation.first = this.#cursor;
    allocation.count = count;
    allocation.isBlank = this.#clusterFile.claim(this.#cursor, count);
    allocation.isCounted = false;
    this.#cursor += count;
    return allocation;
  }

  /** Takes clusters back to which nothing has ever referred. */
  giveBack(first: number, count: number): void {
    this.#returned.add(first, count);
  }

  /** Writes zeros to a cluster; throws {@link SystemError} if that cannot be done. */
  writeZeros(cluster: number): void {
    this.#clusterFile.writeZeros(cluster);
  }

  /** Whether it would be good to reserve more clusters soon. */
  get isReserveLow(): boolean {
    return this.#reserve.isLow;
  }

  /** Puts more clusters into the reserve, which is ready once the file has been synced. */
  fillReserve(): void {
    const missing = this.#reserve.takeMissing();
    if (missing <= 0) return;
    try {
      const { first, count } = this.#allocateAtEnd(missing);
      this.#reserve.add(first, count);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      // Those who need a cluster will be told.
      this.#reserve.stop();
    }
  }

  /** A sync has ended that began after the reserve was filled. */
  reserveIsDurable(): void {
    this.#reserve.isDurable();
  }

  /** Cuts off what is not used of what the file got; throws {@link SystemError} if that cannot be done. */
  conclude(): void {
    this.#reserve.stop();
    this.#returned.takeOver(this.#reserve.takeAll());
    const unused = new ClusterSet();
    for (let run = 0; run < this.#returned.runs; run++) {
      const first = this.#returned.firstOf(run);
      for (let n = 0; n < this.#returned.countOf(run); n++) unused.add(first + n);
    }
    this.#clusterFile.cutTail((cluster) => cluster >= this.#cursor || unused.has(cluster));
  }

  dropCaches(): void {
    this.#clusterFile.dropCaches();
  }
}

function clustersOf(file: ImageFile, clusterBytes: number): ClusterFile {
  return new ClusterFile(file, { clusterBytes, metadata: new ClusterSet(), punches: false });
}
