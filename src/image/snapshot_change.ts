/**
 * What may become of an image's internal snapshots.
 *
 * @module
 */

/**
 * - create: what the disk has now is kept under a name. It may have that name already.
 * - apply: the disk gets what a snapshot has, and is as large as it was then; what it had is gone.
 * - delete: a snapshot is forgotten, and what nothing else has is freed.
 */
export const SNAPSHOT_ACTIONS = ["create", "apply", "delete"] as const;

export type SnapshotAction = typeof SNAPSHOT_ACTIONS[number];

export interface SnapshotChange {
  readonly action: SnapshotAction;
  /** Of the snapshot; of one that there is, it may also be the identifier. */
  readonly name: string;
}
