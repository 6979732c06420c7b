/**
 * The contract for checking images: what a driver is asked for, and what it answers. Numbers are those
 * of qemu (QAPI, `ImageCheck`).
 *
 * @module
 */

/** What shall be put right: nothing, what is counted too high, or all that can be. */
export type Repair = "none" | "leaks" | "all";

/** What a check is told. */
export interface CheckOptions {
  readonly repair: Repair;
  /** Hears of each fault, in a line of text; many are not told one by one. */
  readonly report: (line: string) => void;
  /** Hears how much is done: 0 up to 1. */
  readonly progress?: (part: number) => void;
}

/** What is wrong with an image, and how it is filled. */
export interface CheckResult {
  /** Faults that could cost data. */
  readonly corruptions: number;
  /** Clusters that count as used, or as used more often than they are. */
  readonly leaks: number;
  readonly corruptionsFixed: number;
  readonly leaksFixed: number;
  /** Where the last cluster that is used ends, in bytes. */
  readonly imageEndOffset: number;
  /** Clusters that the disk consists of. */
  readonly totalClusters: number;
  /** Those of them that have a place in the file. */
  readonly allocatedClusters: number;
  /** Those that do not lie behind the one before. */
  readonly fragmentedClusters: number;
  readonly compressedClusters: number;
}
