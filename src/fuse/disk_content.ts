/**
 * What the file of a FUSE session consists of.
 *
 * @module
 */
import type { ReadRequest } from "../disk/reader.ts";

/** The disk, or it with something in front of it, which is only read then. */
export interface DiskContent {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** Where the disk begins, if not at once. */
  readonly leadBytes?: number;
  /** As {@link Reader.read}. */
  read(request: ReadRequest): boolean;
}
