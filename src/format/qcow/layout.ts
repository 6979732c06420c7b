/**
 * QCOW2 on disk, versions 2 and 3 (qemu, docs/interop/qcow2.txt). All numbers are big-endian.
 *
 *     cluster 0                    any cluster                 any cluster
 *     +-----------------------+    +--------------------+      +--------------------+
 *     | header                |    | L1 table           |  ,-> | L2 table           |
 *     |   l1_table_offset  ---+--> |   entry 0       ---+-'    |   entry 0       ---+--> guest cluster 0
 *     |   l1_size             |    |   entry 1 (0)      |      |   entry 1 (0)      |    unallocated
 *     | header extensions     |    |   ...              |      |   entry 2 (bit 0)  |    reads as zeros
 *     |   type, length, data  |    +--------------------+      |   entry 3 (bit 62) +--> compressed
 *     |   ...                 |    l1_size entries of          +--------------------+
 *     |   0, 0                |    8 bytes, contiguous         one cluster of
 *     | backing file name     |                                8-byte entries
 *     +-----------------------+
 *
 * A guest offset, from the highest bits down: L1 index, L2 index (cluster_bits - 3 bits), offset in
 * the cluster (cluster_bits bits). Each entry of the snapshot table has an L1 table of its own. The
 * refcount table is not needed to read a disk.
 *
 * @module
 */
import { RecordLayout } from "../kit/record.ts";

/** "QFI\xfb" */
export const MAGIC = 0x514649fb;
export const MAGIC_BYTES: Uint8Array = Uint8Array.of(0x51, 0x46, 0x49, 0xfb);

/** The header of version 2; version 3 begins with it, too. */
export const HEADER = new RecordLayout({
  magic: "u32",
  version: "u32",
  backing_file_offset: "u64",
  backing_file_size: "u32",
  cluster_bits: "u32",
  size: "u64",
  crypt_method: "u32",
  l1_size: "u32",
  l1_table_offset: "u64",
  refcount_table_offset: "u64",
  refcount_table_clusters: "u32",
  nb_snapshots: "u32",
  snapshots_offset: "u64",
}, { sizeBytes: 72, endian: "big" });

/** What version 3 adds directly after {@link HEADER}. */
export const HEADER_V3 = new RecordLayout({
  incompatible_features: "u64",
  compatible_features: "u64",
  autoclear_features: "u64",
  refcount_order: "u32",
  header_length: "u32",
}, { sizeBytes: 32, endian: "big" });

/** Additional fields, directly after {@link HEADER_V3}: present as far as header_length reaches. */
export const HEADER_ADDITIONAL = new RecordLayout({
  compression_type: "u8",
}, { sizeBytes: 1, endian: "big" });

export const HEADER_V3_BYTES: number = HEADER.sizeBytes + HEADER_V3.sizeBytes;

/** Start of an entry of the snapshot table; extra data, identifier and name follow. */
export const SNAPSHOT = new RecordLayout({
  l1_table_offset: "u64",
  l1_size: "u32",
  id_str_size: "u16",
  name_size: "u16",
  date_sec: "u32",
  date_nsec: "u32",
  vm_clock_nsec: "u64",
  vm_state_size: "u32",
  extra_data_size: "u32",
}, { sizeBytes: 40, endian: "big" });

/** The extra data of a snapshot: present as far as extra_data_size reaches. */
export const SNAPSHOT_EXTRA = new RecordLayout({
  vm_state_size_large: "u64",
  disk_size: "u64",
  icount: "u64",
}, { sizeBytes: 24, endian: "big" });

export const SNAPSHOT_EXTRA_FIELD_BYTES = 8;
export const SNAPSHOT_ALIGNMENT_BYTES = 8;

/** Start of a header extension; its data follow, padded to a multiple of 8 bytes. */
export const EXTENSION = new RecordLayout({
  type: "u32",
  length: "u32",
}, { sizeBytes: 8, endian: "big" });

export const EXTENSION_ALIGNMENT_BYTES = 8;

/** Header extension types this driver looks at. */
export const ExtensionType = {
  end: 0x00000000,
  featureNameTable: 0x6803f857,
  backingFormat: 0xe2792aca,
  dataFile: 0x44415441,
  encryptionHeader: 0x0537be77,
  bitmaps: 0x23852875,
} as const;

/** The extension that says where the encryption header is. */
export const ENCRYPTION_HEADER = new RecordLayout({
  offset: "u64",
  length: "u64",
}, { sizeBytes: 16, endian: "big" });

/** The extension that says where the directory of bitmaps is. */
export const BITMAPS_EXTENSION = new RecordLayout({
  nb_bitmaps: "u32",
  reserved: "u32",
  bitmap_directory_size: "u64",
  bitmap_directory_offset: "u64",
}, { sizeBytes: 24, endian: "big" });

/** Start of an entry of that directory; extra data and name follow. */
export const BITMAP_ENTRY = new RecordLayout({
  bitmap_table_offset: "u64",
  bitmap_table_size: "u32",
  flags: "u32",
  type: "u8",
  granularity_bits: "u8",
  name_size: "u16",
  extra_data_size: "u32",
}, { sizeBytes: 24, endian: "big" });

export const BITMAP_ALIGNMENT_BYTES = 8;

/** Start of an entry of the feature name table; the name follows. */
export const FEATURE_NAME = new RecordLayout({
  type: "u8",
  bit: "u8",
}, { sizeBytes: 2, endian: "big" });

export const FEATURE_NAME_TEXT_BYTES = 46;
export const FEATURE_TYPE_INCOMPATIBLE = 0;
export const FEATURE_TYPE_COMPATIBLE = 1;
export const FEATURE_TYPE_AUTOCLEAR = 2;

/** Bits of incompatible_features. */
export const Incompatible = {
  dirty: 1n << 0n,
  corrupt: 1n << 1n,
  externalDataFile: 1n << 2n,
  compressionType: 1n << 3n,
  extendedL2: 1n << 4n,
} as const;

/** Bit 0 of compatible_features. */
export const COMPATIBLE_LAZY_REFCOUNTS = 1n << 0n;

/** Bit 0 of autoclear_features: the bitmaps are valid. */
export const AUTOCLEAR_BITMAPS = 1n << 0n;

/** Bit 1 of autoclear_features. */
export const AUTOCLEAR_RAW_EXTERNAL_DATA = 1n << 1n;

/** Values of compression_type. */
export const CompressionType = { zlib: 0, zstd: 1 } as const;

/** Values of crypt_method. */
export const CryptMethod = { none: 0, aes: 1, luks: 2 } as const;

export const MIN_CLUSTER_BITS = 9;
/** 2 MiB: not the specification's limit, but that of every implementation. */
export const MAX_CLUSTER_BITS = 21;
export const MAX_REFCOUNT_ORDER = 6;
export const MAX_BACKING_NAME_BYTES = 1023;
/** qemu's limit for the name of a format. */
export const MAX_FORMAT_NAME_BYTES = 15;
/** Ours: what the longest path takes (PATH_MAX). */
export const MAX_DATA_FILE_NAME_BYTES = 4096;

// qemu's limits, block/qcow2.h
export const MAX_L1_BYTES: number = 32 * 1024 * 1024;
export const MAX_REFCOUNT_TABLE_BYTES: number = 8 * 1024 * 1024;
export const MAX_SNAPSHOTS = 65536;
export const MAX_SNAPSHOT_EXTRA_BYTES = 1024;
export const MAX_SNAPSHOT_TABLE_BYTES: number = 64 * 1024 * 1024;
/** Of 65,535 bitmaps with names of 1023 bytes. */
export const MAX_BITMAP_DIRECTORY_BYTES: number = 64 * 1024 * 1024;

/** L1 and L2 entries have 64 bits; hot code reads them as a high and a low half. */
export const TABLE_ENTRY_BYTES = 8;
export const TABLE_ENTRY_BITS = 3;

/** Extended L2 entries: a standard one, then 32 bits for what is zero and 32 for what is allocated. */
export const EXTENDED_ENTRY_BYTES = 16;
export const EXTENDED_ENTRY_BITS = 4;
/** Parts of a cluster with an extended entry; the lowest bit is the first one's. */
export const SUBCLUSTERS = 32;
/** 16 KiB: a subcluster is not smaller than a sector. */
export const MIN_EXTENDED_CLUSTER_BITS = 14;

/** Bits 9-55 of an L1 or a standard L2 entry: where the L2 table or the data cluster starts. */
export const OFFSET_MASK_HIGH = 0x00ff_ffff;
export const OFFSET_MASK_LOW = 0xffff_fe00;

/** L2 entry, bit 63: the cluster is used once. Only this tells offset 0 of a data file from none. */
export const L2_COPIED_HIGH = 0x8000_0000;
/** L2 entry, bit 62: the cluster is compressed. */
export const L2_COMPRESSED_HIGH = 0x4000_0000;
/** Standard L2 entry, bit 0 (version 3): the cluster reads as zeros, whatever its offset. */
export const L2_ZERO_LOW = 0x0000_0001;

/** What compressed clusters are counted in. */
export const SECTOR_BYTES = 512;

/** First bit of the sector count in a compressed entry: "x" in the specification. */
export function compressedSectorsShift(clusterBits: number): number {
  return 62 - (clusterBits - 8);
}
