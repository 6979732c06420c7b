/**
 * Clusters that have lost a reference: each stays as it is until nothing on the disk has that any more.
 *
 *     drop ──> dropped ──taken──> taken ──durable──> unused ──takeUnused
 *                 ^                 │
 *                 └─────failed──────┘
 *
 * @module
 */
import { ClusterRuns } from "./cluster_runs.ts";

/** Whether it matters what is on the disk. */
export interface DroppedOptions {
  /** If not, what is dropped is unused at once. */
  readonly isOrdered: boolean;
}

export class DroppedClusters {
  /** Those that have lost a reference since updates were taken last. */
  readonly #dropped = new ClusterRuns();
  /** Those that have lost one in what was taken to be written. */
  readonly #taken = new ClusterRuns();
  /** Those of which nothing durable has that reference any more. */
  readonly #unused = new ClusterRuns();
  /** Where what is dropped goes to. */
  readonly #next: ClusterRuns;
  /** Those of tables. */
  readonly #retired = new Set<number>();

  constructor({ isOrdered }: DroppedOptions = { isOrdered: true }) {
    this.#next = isOrdered ? this.#dropped : this.#unused;
  }

  drop(first: number, count: number): void {
    this.#next.add(first, count);
  }

  /** As {@link DroppedClusters.drop}, of a table. */
  retire(first: number, count: number): void {
    for (let cluster = first; cluster < first + count; cluster++) this.#retired.add(cluster);
    this.drop(first, count);
  }

  /** Whether a cluster is one of a table that has been dropped; asked when it is unused, and only once. */
  takeRetired(cluster: number): boolean {
    return this.#retired.delete(cluster);
  }

  /** Whether there are some of which no updates have been taken. */
  get hasNew(): boolean {
    return this.#dropped.runs > 0;
  }

  /** How many runs of clusters there are. */
  get runs(): number {
    return this.#dropped.runs + this.#taken.runs + this.#unused.runs;
  }

  /** All updates have been taken. */
  taken(): void {
    this.#taken.takeOver(this.#dropped);
  }

  /** Says whether what was taken last is durable. */
  updated(isDurable: boolean): void {
    (isDurable ? this.#unused : this.#dropped).takeOver(this.#taken);
  }

  get hasUnused(): boolean {
    return this.#unused.runs > 0;
  }

  /** Up to `most` clusters, one behind the other, of which nothing durable has the reference. */
  takeUnused(most: number): readonly [first: number, count: number] | undefined {
    return this.#unused.takeLast(most);
  }
}
