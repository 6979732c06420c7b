/**
 * What is measured: one row per access pattern.
 *
 * @module
 */

/** One access pattern, in fio's terms. */
export interface Job {
  readonly name: string;
  /** fio's `--rw`. */
  readonly pattern: "read" | "randread" | "write" | "randwrite";
  readonly blockBytes: number;
  /** Requests each client keeps in flight. */
  readonly depth: number;
  /** Clients, each with a connection of its own. */
  readonly clients: number;
}

export const JOBS: readonly Job[] = [
  { name: "rand-4k-qd1", pattern: "randread", blockBytes: 4096, depth: 1, clients: 1 },
  { name: "rand-4k-qd32", pattern: "randread", blockBytes: 4096, depth: 32, clients: 1 },
];
