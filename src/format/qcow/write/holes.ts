/**
 * Clusters that are given back to the file system, in as few holes as possible.
 *
 * @module
 */
import type { ClusterFile } from "./cluster_file.ts";

/** Joins clusters that come one before or behind the other. */
export class Holes {
  readonly #file: Pick<ClusterFile, "punch">;
  #first = 0;
  #count = 0;
  #punched = 0;

  constructor(file: Pick<ClusterFile, "punch">) {
    this.#file = file;
  }

  /** How many holes have been made so far. */
  get punched(): number {
    return this.#punched;
  }

  /** Adds a cluster that is free. */
  add(cluster: number): void {
    if (cluster !== this.#first - 1 && cluster !== this.#first + this.#count) this.end();
    this.#first = this.#count === 0 ? cluster : Math.min(this.#first, cluster);
    this.#count++;
  }

  /** Has what has been added be a hole. */
  end(): void {
    if (this.#count === 0) return;
    this.#file.punch(this.#first, this.#count);
    this.#count = 0;
    this.#punched++;
  }
}
