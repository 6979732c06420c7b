/**
 * QED on disk (qemu, docs/interop/qed_spec.txt). All numbers are little-endian.
 *
 *     +--------------------+      +--------------------+    +--------------------+
 *     | header             |      | L1 table           | ,->| L2 table           |
 *     |   l1_table_offset -+----> |   entry 0       ---+-'  |   entry 0       ---+--> guest cluster 0
 *     | backing file name  |      |   entry 1 (0)      |    |   entry 1 (0)      |    unallocated
 *     +--------------------+      |   ...              |    |   entry 2 (1)      |    zeros
 *     header_size clusters        +--------------------+    +--------------------+
 *                                 table_size clusters       as many
 *
 * A guest offset, from the highest part down: L1 index, L2 index, offset in the cluster. Nothing says which
 * clusters of the file are used: new ones come to lie behind its end.
 *
 * @module
 */
import { RecordLayout } from "../kit/record.ts";

/** "QED\0". */
export const MAGIC = 0x00444551;
export const MAGIC_BYTES: Uint8Array = Uint8Array.of(0x51, 0x45, 0x44, 0);

export const HEADER = new RecordLayout({
  magic: "u32",
  cluster_size: "u32",
  table_size: "u32",
  header_size: "u32",
  features: "u64",
  compat_features: "u64",
  autoclear_features: "u64",
  l1_table_offset: "u64",
  image_size: "u64",
  backing_filename_offset: "u32",
  backing_filename_size: "u32",
}, { sizeBytes: 64, endian: "little" });

/** Bits of `features`: what has another one cannot be read. */
export const Feature = {
  backingFile: 1n,
  /** The image was not closed in order, or is open. */
  needCheck: 2n,
  /** The backing file is raw, whatever it looks like. */
  backingFormatNoProbe: 4n,
} as const;

export const KNOWN_FEATURES: bigint = Feature.backingFile | Feature.needCheck |
  Feature.backingFormatNoProbe;

// The specification's limits
export const MIN_CLUSTER_BYTES = 4096;
export const MAX_CLUSTER_BYTES: number = 64 * 1024 * 1024;
export const MAX_TABLE_CLUSTERS = 16;
export const MAX_BACKING_NAME_BYTES = 1023;
export const SECTOR_BYTES = 512;

export const TABLE_ENTRY_BYTES = 8;
export const TABLE_ENTRY_BITS = 3;
/** Entries: nothing is allocated. */
export const ENTRY_FREE = 0;
/** L2 entry: the cluster reads as zeros, whatever lies below. */
export const ENTRY_ZERO = 1;
