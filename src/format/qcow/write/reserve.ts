/**
 * Clusters that count as used in advance, durably, and are zeros: what refers to one of them needs no
 * order any more, and may be written at once. So a daemon that is killed loses little of what it has
 * answered; it leaves those that were not needed, as holes that nobody uses.
 *
 *     new ──add──> waiting for a sync ──isDurable──> ready ──take──> used
 *                         └────────────take, if none is ready────────> used, but counted not yet
 *
 * @module
 */
import type { Allocation } from "./allocation.ts";
import { ClusterRuns } from "./cluster_runs.ts";

const MIB = 1024 * 1024;
/** What is reserved at first, and at most: neither more clusters nor more bytes. */
const FIRST = { clusters: 128, bytes: 8 * MIB } as const;
const MOST = { clusters: 4096, bytes: 256 * MIB } as const;

export class Reserve {
  #mostClusters: number;
  #ready = new ClusterRuns();
  #waiting = new ClusterRuns();
  #wanted: number;
  /** How many clusters are ready or waiting. */
  #count = 0;
  #wasEmpty = false;

  constructor(clusterBytes: number) {
    this.#mostClusters = Math.min(MOST.clusters, MOST.bytes / clusterBytes);
    this.#wanted = Math.min(FIRST.clusters, FIRST.bytes / clusterBytes);
  }

  /** How many clusters had better be added: twice as many as last time if those were not enough. */
  takeMissing(): number {
    if (this.#wasEmpty) this.#wanted = this.#wanted * 2;
    this.#wasEmpty = false;
    this.#wanted = Math.min(this.#wanted, this.#mostClusters);
    return this.#wanted - this.#count;
  }

  /** Wants no more clusters. */
  stop(): void {
    this.#mostClusters = 0;
    this.#wanted = 0;
  }

  /** Whether more than half of them have been taken. */
  get isLow(): boolean {
    return this.#count * 2 < this.#wanted;
  }

  /** Adds clusters that count as used, in what has not been written yet. */
  add(first: number, count: number): void {
    this.#waiting.add(first, count);
    this.#count += count;
  }

  /** What has been added so far is durable. */
  isDurable(): void {
    this.#ready.takeOver(this.#waiting);
  }

  /**
   * Takes up to `most` clusters, of those that are ready if there are any, else of those that wait: others
   * would lie behind all of these, and so leave a gap in the file; false if there are none.
   */
  take(most: number, into: Allocation): boolean {
    const ready = this.#ready.takeFirst(most);
    if (ready === undefined) this.#wasEmpty = true;
    const run = ready ?? this.#waiting.takeFirst(most);
    if (run === undefined) return false;
    [into.first, into.count] = run;
    into.isBlank = true;
    into.isCounted = ready !== undefined;
    this.#count -= into.count;
    return true;
  }

  /** Calls `free` for one after the other; where that throws, those that are left stay. */
  giveBack(free: (cluster: number) => void): void {
    const all = this.takeAll();
    this.#waiting = all;
    for (;;) {
      const last = all.takeLast(1);
      if (last === undefined) return;
      try {
        free(last[0]);
      } catch (error) {
        all.add(...last);
        throw error;
      }
    }
  }

  /** All of them, which are nobody's then. */
  takeAll(): ClusterRuns {
    const all = new ClusterRuns();
    all.takeOver(this.#ready);
    all.takeOver(this.#waiting);
    this.#count = 0;
    return all;
  }
}
