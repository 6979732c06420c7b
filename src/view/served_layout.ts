/**
 * What a daemon serves of a view: one file, from which the devices of the view take their parts.
 *
 *     0                            leadBytes
 *     +------------------+---------+--------------------------------------+
 *     | metadata, if on  | 4 KiB   | the disk, and zeros up to a whole    |
 *     | demand           | zeros   | block                                |
 *     +------------------+---------+--------------------------------------+
 *
 * A device of the disk begins with the 4 KiB in front of its part, so that the disk's blocks have other
 * numbers there than they have in the image's files: see {@link ViewMetadata.needsDirectIo}.
 *
 * @module
 */
import type { DemandLayout } from "./demand_layout.ts";

/** It travels to the daemon and to its threads. */
export interface ServedLayout {
  /** Where the disk begins in the file: a multiple of {@link SERVED_LEAD_BYTES}. */
  readonly leadBytes: number;
  /** What lies in front of it, unless that is zeros. */
  readonly metadata?: DemandLayout;
}
