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
  /** Bits of each count. */
  readonly bits: number;
  readonly findings: Findings;
  readonly memory: CountMemory;
}

export class References {
  readonly counts: ClusterCounts;
  readonly #fileBytes: number;
  readonly #clusterBytes: number;
  readonly #findings: Findings;
  readonly #areas = new Ranges();
  /** Behind the last cluster that is looked at. */
  #endCluster: number;

  constructor({ file, clusterBytes, bits, findings, memory }: ReferencesParts) {
    this.counts = new ClusterCounts(bits, memory);
    this.#fileBytes = file.sizeBytes;
    this.#clusterBytes = clusterBytes;
    this.#findings = findings;
    this.#endCluster = Math.ceil(file.sizeBytes / clusterBytes);
  }

  /** All clusters before it are in the file, or referred to. */
  get endCluster(): number {
    return this.#endCluster;
  }

  /** Whether a part of the file is there; its last cluster may be cut off, as in qemu. */
  isInFile(hostOffset: number, lengthBytes: number): boolean {
    return hostOffset + lengthBytes - this.#fileBytes < this.#clusterBytes;
  }

  /** Counts `times` references to a part of the file; a few clusters at most. */
  add(hostOffset: number, lengthBytes: number, times: number): void {
    if (!this.isInFile(hostOffset, lengthBytes)) return this.#outside(hostOffset, times);
    const first = Math.floor(hostOffset / this.#clusterBytes);
    const last = Math.floor((hostOffset + lengthBytes - 1) / this.#clusterBytes);
    for (let cluster = first; cluster <= last; cluster++) this.#count(cluster, times);
  }

  #outside(hostOffset: number, times: number): void {
    this.#findings.unreadable(
      () => `what is referred to at ${hex(hostOffset)} lies behind the end of the file`,
      times,
    );
  }

  #count(cluster: number, times: number): void {
    const tooMany = this.counts.add(cluster, times);
    if (cluster >= this.#endCluster) this.#endCluster = cluster + 1;
    if (tooMany === 0) return;
    this.#findings.corrupt(
      () => `cluster ${cluster}: more references than can be counted`,
      tooMany,
    );
  }

  /** Notes a reference to a part of the file of any length, which {@link settleAreas} counts. */
  addArea(hostOffset: number, lengthBytes: number): void {
    if (lengthBytes === 0) return;
    if (!this.isInFile(hostOffset, lengthBytes)) return this.#outside(hostOffset, 1);
    const first = Math.floor(hostOffset / this.#clusterBytes);
    this.#areas.add(first, Math.ceil((hostOffset + lengthBytes) / this.#clusterBytes));
  }

  settleAreas(): void {
    for (const { start, end, count } of this.#areas.segments()) {
      for (let cluster = start; cluster < end; cluster++) this.#count(cluster, count);
    }
  }
}
