/**
 * How often each cluster of the file is referred to, by what has been counted so far.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { hex } from "../errors.ts";
import { ClusterCounts, type CountMemory } from "./cluster_counts.ts";
import type { Findings } from "./findings.ts";
import { Ranges } from "./ranges.ts";

export interface ReferencesParts {
  readonly file: ImageFile;
  readonly clusterBytes: number;
  /** The largest count that the image can store. */
  readonly most: number;
  readonly findings: Findings;
  readonly memory: CountMemory;
}

/** More references than fit into so many bits are not told apart. */
const BITS = 32;
/** References are remembered that lead so many clusters behind the end of the file. */
const REMEMBERED_BEHIND = 16 * 1024 * 1024;

export class References {
  /** All of them, be they more than the image can store. */
  readonly counts: ClusterCounts;
  /** The largest count that the image can store. */
  readonly most: number;
  /** Clusters behind the end of the file that something refers to. */
  readonly #behind: ClusterCounts;
  readonly #firstBehind: number;
  readonly #fileBytes: number;
  readonly #clusterBytes: number;
  readonly #findings: Findings;
  readonly #areas = new Ranges();
  readonly #areasBehind = new Ranges();
  #outsideOffset: number | undefined;
  /** Behind the last cluster that is looked at. */
  #endCluster: number;

  constructor({ file, clusterBytes, most, findings, memory }: ReferencesParts) {
    this.counts = new ClusterCounts(BITS, memory);
    this.most = most;
    this.#behind = new ClusterCounts(1, memory);
    this.#firstBehind = Math.ceil(file.sizeBytes / clusterBytes);
    this.#fileBytes = file.sizeBytes;
    this.#clusterBytes = clusterBytes;
    this.#findings = findings;
    this.#endCluster = Math.ceil(file.sizeBytes / clusterBytes);
  }

  /** The first place behind the end of the file that was found to be referred to, if any. */
  get outsideOffset(): number | undefined {
    return this.#outsideOffset;
  }

  /** All clusters before it are in the file, or referred to. */
  get endCluster(): number {
    return this.#endCluster;
  }

  /** Whether a part of the file is there; its last cluster may be cut off, as in qemu. */
  isInFile(hostOffset: number, lengthBytes: number): boolean {
    return hostOffset + lengthBytes - this.#fileBytes < this.#clusterBytes;
  }

  /** Behind the last cluster near the end of the file that may be written to: others are referred to. */
  get endOfKnown(): number {
    return this.#firstBehind + REMEMBERED_BEHIND;
  }

  /** Whether something refers to a cluster before {@link endOfKnown}, be it in the file or not. */
  isReferredTo(cluster: number): boolean {
    return this.counts.get(cluster) > 0 || this.#behind.get(cluster) > 0;
  }

  /** Counts `times` references to a part of the file; a few clusters at most. */
  add(hostOffset: number, lengthBytes: number, times: number): void {
    if (!this.isInFile(hostOffset, lengthBytes)) {
      return this.#outside(hostOffset, lengthBytes, times);
    }
    const first = Math.floor(hostOffset / this.#clusterBytes);
    const last = Math.floor((hostOffset + lengthBytes - 1) / this.#clusterBytes);
    for (let cluster = first; cluster <= last; cluster++) this.#count(cluster, times);
  }

  #outside(hostOffset: number, lengthBytes: number, times: number): void {
    const first = Math.max(this.#firstBehind, Math.floor(hostOffset / this.#clusterBytes));
    const end = Math.ceil((hostOffset + lengthBytes) / this.#clusterBytes);
    for (let cluster = first; cluster < Math.min(end, this.endOfKnown); cluster++) {
      this.#behind.set(cluster, 1);
    }
    this.#tellOutside(hostOffset, times);
  }

  #tellOutside(hostOffset: number, times: number): void {
    this.#outsideOffset ??= hostOffset;
    this.#findings.unreadable(
      () => `what is referred to at ${hex(hostOffset)} lies behind the end of the file`,
      times,
    );
  }

  #count(cluster: number, times: number): void {
    const before = this.counts.get(cluster);
    this.counts.add(cluster, times);
    if (cluster >= this.#endCluster) this.#endCluster = cluster + 1;
    const tooMany = Math.min(times, before + times - this.most);
    if (tooMany <= 0) return;
    this.#findings.lasting(
      () => `cluster ${cluster}: more references than can be counted`,
      tooMany,
    );
  }

  /** Notes a reference to a part of the file of any length, which {@link settleAreas} counts. */
  addArea(hostOffset: number, lengthBytes: number): void {
    if (lengthBytes === 0) return;
    const first = Math.floor(hostOffset / this.#clusterBytes);
    const end = Math.ceil((hostOffset + lengthBytes) / this.#clusterBytes);
    if (this.isInFile(hostOffset, lengthBytes)) return this.#areas.add(first, end);
    this.#areasBehind.add(Math.max(first, this.#firstBehind), Math.min(end, this.endOfKnown));
    this.#tellOutside(hostOffset, 1);
  }

  settleAreas(): void {
    for (const { start, end, count } of this.#areas.segments()) {
      for (let cluster = start; cluster < end; cluster++) this.#count(cluster, count);
    }
    for (const { start, end } of this.#areasBehind.segments()) {
      for (let cluster = start; cluster < end; cluster++) this.#behind.set(cluster, 1);
    }
  }
}
