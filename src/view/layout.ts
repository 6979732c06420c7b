/**
 * EROFS on disk, as far as a view needs it (linux, fs/erofs/erofs_fs.h). All numbers are little-endian.
 *
 *     0       1024         1152            block 1 or later
 *     +-------+------------+---------------+---------------+---------------+----------+----------+
 *     | empty | superblock | device slots  | folders, each | inode of the  | chunks   | copied   |
 *     |       |            | (128 bytes)   | in 512 bytes  | disk's file   | (8 bytes)| blocks   |
 *     +-------+------------+---------------+---------------+---------------+----------+----------+
 *
 * The file's content is an array of chunk entries: for each chunk of the file in which device it lies,
 * and from which block on. Device 0 is this image itself: its copied blocks are what lies elsewhere so
 * that the kernel cannot read it there.
 *
 * Or it is an array of extents, which can be compressed (Linux 6.15): for each where it begins in the
 * file, and its stored bytes, at any place of an address space that all devices share. Between superblock
 * and device slots lies what decompression needs to know then, and in front of the extents a header.
 *
 * @module
 */
import { RecordLayout } from "../format/kit/record.ts";

export const SUPER_OFFSET = 1024;
export const MAGIC = 0xe0f5e1e2;

/** struct erofs_super_block */
export const SUPER_BLOCK = new RecordLayout({
  magic: "u32",
  checksum: "u32",
  feature_compat: "u32",
  blkszbits: "u8",
  sb_extslots: "u8",
  root_nid: "u16",
  inos: "u64",
  build_time: "u64",
  build_time_nsec: "u32",
  blocks: "u32",
  meta_blkaddr: "u32",
  xattr_blkaddr: "u32",
  uuid: "bytes16",
  volume_name: "bytes16",
  feature_incompat: "u32",
  available_compr_algs: "u16",
  extra_devices: "u16",
  devt_slotoff: "u16",
  dirblkbits: "u8",
  xattr_prefix_count: "u8",
  xattr_prefix_start: "u32",
  packed_nid: "u64",
  xattr_filter_reserved: "u8",
  reserved: "bytes7",
  rootnid_8b: "u64",
  reserved2: "bytes8",
}, { sizeBytes: 128, endian: "little" });

/**
 * feature_incompat: what compression needs to know, files in chunks, devices besides the first, extents
 * at any byte. With the last one, the root's number is in rootnid_8b.
 */
export const INCOMPAT_COMPRESSION = 0x2;
export const INCOMPAT_CHUNKED_FILE = 0x4;
export const INCOMPAT_DEVICE_TABLE = 0x8;
export const INCOMPAT_48BIT = 0x80;

/** Algorithms by their numbers: bits of available_compr_algs. */
export const Algorithm = { Deflate: 2, Zstd: 3 } as const;
export type Algorithm = typeof Algorithm[keyof typeof Algorithm];

/**
 * What the kernel has to know of an algorithm, each behind its length, in the order of the numbers.
 * struct z_erofs_deflate_cfgs: the largest window of deflate, 2^15. struct z_erofs_zstd_cfgs: format 0,
 * and the largest window that the kernel takes, 2^(10+10).
 */
export const SETTINGS: Readonly<Record<Algorithm, Uint8Array>> = {
  [Algorithm.Deflate]: Uint8Array.of(6, 0, 15, 0, 0, 0, 0, 0),
  [Algorithm.Zstd]: Uint8Array.of(6, 0, 0, 10, 0, 0, 0, 0),
};

/** struct erofs_deviceslot */
export const DEVICE_SLOT = new RecordLayout({
  tag: "bytes64",
  blocks_lo: "u32",
  uniaddr_lo: "u32",
  blocks_hi: "u16",
  uniaddr_hi: "u16",
  reserved: "bytes52",
}, { sizeBytes: 128, endian: "little" });

/** struct erofs_inode_extended */
export const INODE = new RecordLayout({
  i_format: "u16",
  i_xattr_icount: "u16",
  i_mode: "u16",
  i_reserved: "u16",
  i_size: "u64",
  i_u: "u32",
  i_ino: "u32",
  i_uid: "u32",
  i_gid: "u32",
  i_mtime: "u64",
  i_mtime_nsec: "u32",
  i_nlink: "u32",
  i_reserved2: "bytes16",
}, { sizeBytes: 64, endian: "little" });

/** i_format: bit 0 for the extended inode, from bit 1 on where the content is. */
export const FORMAT_EXTENDED = 0x1;
export const FORMAT_LAYOUT_SHIFT = 1;
export const InodeLayout = { Compressed: 1, Inline: 2, Chunks: 4 } as const;
/** An inode's number counts steps of this size from the first metadata block on. */
export const INODE_STEP_BYTES = 32;

/** i_u of a file in chunks: bits 0-4 how many blocks a chunk has, as a power of two; bit 5: entries. */
export const CHUNK_FORMAT_INDEXES = 0x20;

/** struct erofs_dirent; names follow all of a block's. */
export const DIRENT = new RecordLayout({
  nid: "u64",
  nameoff: "u16",
  file_type: "u8",
  reserved: "u8",
}, { sizeBytes: 12, endian: "little" });
export const FileType = { File: 1, Folder: 2 } as const;

/** struct erofs_inode_chunk_index: u16 unused, u16 device, u32 first block. */
export const CHUNK_ENTRY = { size: 8, device: 2, block: 4 } as const;
/** A chunk that is a hole has no block; no chunk begins there or later. */
export const NO_BLOCK = 0xffffffff;

/** struct z_erofs_map_header, in front of extents. */
export const MAP_HEADER = new RecordLayout({
  h_extents_lo: "u32",
  h_advise: "u16",
  h_extents_hi: "u16",
}, { sizeBytes: 8, endian: "little" });
/** h_advise: bit 0 for extents, bits 1 and 2 for the size of their records, 4 << n. */
export const ADVISE_EXTENTS = 0x1;
export const ADVISE_RECORD_SHIFT = 1;

/**
 * struct z_erofs_extent: without the last two fields where no file has 4 GiB. It begins at multiples of
 * its size.
 */
export const EXTENT = new RecordLayout({
  plen: "u32",
  pstart_lo: "u32",
  pstart_hi: "u32",
  lstart_lo: "u32",
  lstart_hi: "u32",
  reserved: "bytes12",
}, { sizeBytes: 32, endian: "little" });
export const SHORT_EXTENT_BYTES = 16;
/** plen: how many bytes are stored (0: a hole); whether there may be more; and the algorithm + 1. */
export const EXTENT_PARTIAL = 1 << 27;
export const EXTENT_FORMAT_SHIFT = 28;
/** Stored bytes of an extent at most (Z_EROFS_PCLUSTER_MAX_SIZE). */
export const MAX_EXTENT_BYTES = 1024 * 1024;

/** Sizes that a block may have: up to the smallest page. */
export const MIN_BLOCK_BITS = 9;
export const MAX_BLOCK_BITS = 12;
