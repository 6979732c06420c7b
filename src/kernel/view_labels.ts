/**
 * What the loop devices below views are called, by which everybody knows them for such.
 *
 * @module
 */
import type { LoopStatus } from "./loop_layout.ts";

/** Those of the metadata, of files, and of what is served. */
export const VIEW_LABELS = {
  metadata: "tslosetup view: metadata",
  file: "tslosetup view: file",
  served: "tslosetup view: served",
} as const;

/** Numbers of the loop devices below views: far from those that people name. */
export const HIGH_LOOPS = { first: 512, last: 16383 } as const;
/** What the file of the metadata is called, which lies in memory. */
export const METADATA_NAME = "tslosetup-view";

/** Whether a loop device is one of those below a view. */
export function isBelowView(status: LoopStatus | undefined): boolean {
  return status !== undefined &&
    Object.values(VIEW_LABELS).some((label) => label === status.fileName);
}
