/**
 * What an image says of itself, for `--info`: read from its metadata alone, without a key, and
 * without any other file.
 *
 * @module
 */
import type { Identity, Parent } from "./identity.ts";

/** A value as JSON has it. Keys are those of qemu's QAPI schema (qapi/block-core.json). */
export type InfoValue =
  | string
  | number
  | bigint
  | boolean
  | readonly InfoValue[]
  | { readonly [key: string]: InfoValue };

/** What a format driver tells of one image, apart from what is seen of the file itself. */
export interface ImageInfo {
  /** The format as qemu names it: `qcow2`, `raw`. */
  readonly format: string;
  /**
   * Size of the virtual disk in bytes; exact, so a bigint where no number is. Undefined where it is known
   * only once all is decompressed.
   */
  readonly sizeBytes: number | bigint | undefined;
  /** Unit of allocation; absent for formats without one. */
  readonly clusterBytes?: number;
  /** Whether the image was not closed in order: something has to be repaired, or replayed from a log. */
  readonly dirty?: boolean;
  readonly encrypted?: boolean;
  readonly backing?: BackingInfo;
  /** What images above know it by, where the format has such a thing. */
  readonly identity?: Identity;
  /** The image below, where that is known by its identity. */
  readonly parent?: Parent;
  /** Internal snapshots, in the order of the image's table. */
  readonly snapshots?: readonly SnapshotInfo[];
  /** What only this format has: QAPI's `ImageInfoSpecific`. */
  readonly specific?: SpecificInfo;
}

/** The image below, as recorded. */
export interface BackingInfo {
  readonly name: string;
  /** As recorded, so mostly a name of qemu's; undefined where none is recorded. */
  readonly format: string | undefined;
}

/** QAPI's `SnapshotInfo`. */
export interface SnapshotInfo {
  readonly id: string;
  readonly name: string;
  /** Size of the saved state of the machine, 0 for a snapshot of the disk alone. */
  readonly vmStateBytes: number | bigint;
  /** When it was made, in seconds since 1970 and nanoseconds. */
  readonly dateSeconds: number;
  readonly dateNanoseconds: number;
  /** How long the machine had run. */
  readonly vmClockSeconds: number;
  readonly vmClockNanoseconds: number;
  /** Instructions executed; undefined where that was not recorded. */
  readonly icount?: number | bigint;
}

export interface SpecificInfo {
  /** QAPI's discriminator, for example `qcow2`. */
  readonly type: string;
  readonly data: { readonly [key: string]: InfoValue };
}
