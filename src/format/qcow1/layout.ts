/**
 * QCOW on disk, version 1 (qemu, block/qcow.c: there is no other specification). All numbers are
 * big-endian.
 *
 *     +--------------------+      any offset                any offset
 *     | header             |      +--------------------+    +--------------------+
 *     |   l1_table_offset -+----> | L1 table           | ,->| L2 table           |
 *     | backing file name  |      |   entry 0       ---+-'  |   entry 0       ---+--> guest cluster 0
 *     +--------------------+      |   entry 1 (0)      |    |   entry 1 (0)      |    unallocated
 *                                 +--------------------+    |   entry 2 (bit 63)-+--> compressed
 *                                 as many entries as        +--------------------+
 *                                 the disk needs            2^l2_bits entries of 8 bytes
 *
 * A guest offset, from the highest bits down: L1 index, L2 index (l2_bits bits), offset in the cluster
 * (cluster_bits bits).
 *
 * @module
 */
import { RecordLayout } from "../kit/record.ts";

/** "QFI\xfb", then the version. */
export const MAGIC = 0x514649fb;
export const VERSION = 1;
export const MAGIC_BYTES: Uint8Array = Uint8Array.of(0x51, 0x46, 0x49, 0xfb, 0, 0, 0, VERSION);

export const HEADER = new RecordLayout({
  magic: "u32",
  version: "u32",
  backing_file_offset: "u64",
  backing_file_size: "u32",
  mtime: "u32",
  size: "u64",
  cluster_bits: "u8",
  l2_bits: "u8",
  padding: "u16",
  crypt_method: "u32",
  l1_table_offset: "u64",
}, { sizeBytes: 48, endian: "big" });

// qemu's limits
export const MIN_CLUSTER_BITS = 9;
export const MAX_CLUSTER_BITS = 16;
export const MIN_L2_BITS = 6;
export const MAX_L2_BITS = 13;
export const MAX_BACKING_NAME_BYTES = 1023;
/** Ours: 4 Mi entries, which at the usual 2 MiB each is a disk of 8 TiB. */
export const MAX_L1_BYTES: number = 32 * 1024 * 1024;

export const TABLE_ENTRY_BYTES = 8;
export const TABLE_ENTRY_BITS = 3;
/** L2 entry, bit 63: the cluster is compressed, its length in the cluster_bits bits below. */
export const L2_COMPRESSED_HIGH = 0x8000_0000;
/** A data cluster starts with a sector. */
export const SECTOR_BYTES = 512;
