/**
 * What the formats differ in that have two levels of tables, but no reference counts.
 *
 * @module
 */

/** What an L2 entry says. */
export const EntryKind = { Unallocated: 0, Zero: 1, Compressed: 2, Normal: 3 } as const;
export type EntryKind = typeof EntryKind[keyof typeof EntryKind];

/** Bytes of an entry, in all of them. */
export const ENTRY_BYTES = 8;

/** How a format writes down entries. */
export interface EntryFormat {
  /** Name of the driver, for errors. */
  readonly name: string;
  /** What places of clusters are a multiple of. */
  readonly alignmentBytes: number;
  kindAt(view: DataView, position: number): EntryKind;
  /** Normal: where the cluster is. Inexact past the end of every file. */
  hostOffsetAt(view: DataView, position: number): number;
  /** Has an entry of either level refer to what is at `hostOffset`. */
  setPlace(view: DataView, position: number, hostOffset: number): void;
  /** Has an L2 entry say that there are zeros; absent if none can. */
  setZero?(view: DataView, position: number): void;
}

/** What tables and clusters of an image are like, in bytes. */
export interface UncountedLayout {
  readonly clusterBytes: number;
  readonly tableBytes: number;
  readonly l1Offset: number;
}
