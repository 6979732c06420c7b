/**
 * VMDK on disk (Virtual Disk Format 5.0, VMware; qemu, block/vmdk.c; libvmdk). All numbers are
 * little-endian, and most of them count sectors.
 *
 *     descriptor, alone in a file               hosted sparse extent
 *     +---------------------------------+       +----------------------+
 *     | # Disk DescriptorFile           |       | header               |
 *     | CID=...                         |       |   descriptor --------+--> text, as on the left
 *     | parentFileNameHint="..."        |       |   redundant_directory+--> directory --> tables
 *     | RW 4192256 SPARSE "x-s001.vmdk"-+--.    |   directory ---------+--> directory
 *     | RW 4192256 FLAT "x-f001.vmdk" 0-+- |    +----------------------+      table 0 (sector) --.
 *     | RW 63 ZERO                      |  `--> | ...                  |      table 1 (0: none)  |
 *     +---------------------------------+       | grain                | <--- grain 0 (sector) <-'
 *                                               | grain                |      grain 1 (0: none)
 *                                               +----------------------+
 *
 * The extents follow each other in the order of their lines. Of a monolithic sparse image, the descriptor is
 * in the extent itself. The redundant directory has tables of its own, with the same entries.
 *
 * @module
 */
import { RecordLayout } from "../kit/record.ts";

export const SECTOR_BYTES = 512;

/** How a descriptor begins, unless there are other comments before. */
export const DESCRIPTOR_MARK: Uint8Array = new TextEncoder().encode("# Disk DescriptorFile");
/** What is longer is no descriptor; qemu reads no more of it. */
export const MAX_DESCRIPTOR_BYTES: number = 1024 * 1024;
/** Of a file that may be a descriptor, so much is looked into to find that out. */
export const DESCRIPTOR_HEAD_BYTES = 2048;
/** Where there are more, something is wrong. */
export const MAX_EXTENTS = 4096;

/** CID of an image that has no parent. */
export const NO_CID = "ffffffff";

/** "KDMV". */
export const HOSTED_MARK: Uint8Array = new TextEncoder().encode("KDMV");
/** "COWD": of sparse extents on VMFS. */
export const COWD_MARK: Uint8Array = new TextEncoder().encode("COWD");
/** 0xcafebabe, as 64 bits: of space-efficient sparse extents. */
export const SESPARSE_MARK: Uint8Array = Uint8Array.of(0xbe, 0xba, 0xfe, 0xca, 0, 0, 0, 0);

export const HOSTED_HEADER = new RecordLayout({
  magic: "bytes4",
  version: "u32",
  flags: "u32",
  capacity: "u64",
  grain_size: "u64",
  descriptor_offset: "u64",
  descriptor_size: "u64",
  table_entries: "u32",
  redundant_directory: "u64",
  directory: "u64",
  overhead: "u64",
  unclean: "u8",
  newlines: "bytes4",
  compression: "u16",
  reserved: "bytes433",
}, { sizeBytes: SECTOR_BYTES, endian: "little" });

export const MAX_VERSION = 3;
/** Uncompressed, with a file beside it that says what has changed. */
export const TRACKED_VERSION = 3;
/** Bits of `flags`. */
export const HostedFlag = {
  newlines: 1,
  redundant: 2,
  zeroGrains: 4,
  compressed: 0x1_0000,
  markers: 0x2_0000,
} as const;
/** What a transfer as text would have changed. */
export const NEWLINES: Uint8Array = Uint8Array.of(0x0a, 0x20, 0x0d, 0x0a);
/** `compression`, of grains whose flag says that they are. */
export const COMPRESSION_DEFLATE = 1;
/** `directory` of a stream: the footer says where it is. */
export const DIRECTORY_IN_FOOTER = 0xffff_ffff_ffff_ffffn;

/**
 * In front of each grain of a stream, and of what else is in it:
 *
 *     +--------+--------+-------+--------+--- ... ---+-- ... --+--------+--------+----------------+
 *     | header | marker | grain | marker | directory | marker  | footer | marker | end of stream: |
 *     |        | lba    |       | type 2 |           | type 3  |        |        | type 0         |
 *     +--------+--------+-------+--------+--- ... ---+-- ... --+--------+--------+----------------+
 *
 * A grain's bytes, `size` of them, follow that field at once; of the others, `value` sectors follow the
 * marker's own.
 */
export const MARKER = new RecordLayout({
  value: "u64",
  size: "u32",
  type: "u32",
}, { sizeBytes: 16, endian: "little" });
/** Where the bytes of a grain begin, from its marker on. */
export const GRAIN_MARKER_BYTES = 12;
export const MarkerType = { endOfStream: 0, table: 1, directory: 2, footer: 3 } as const;
/** What is larger is not decompressed. */
export const MAX_PACKED_GRAIN_BYTES: number = 64 * 1024 * 1024;

export const MIN_GRAIN_SECTORS = 8n;
/** As in qemu. */
export const MAX_GRAIN_SECTORS = 0x20_0000n;
/** 16 MiB: of a larger one, the rest takes too much memory where only a part of it is written. */
export const MAX_WRITTEN_GRAIN_SECTORS = 0x8000n;
export const MAX_TABLE_ENTRIES = 512;
/** 32 Mi, as in qemu. */
export const MAX_DIRECTORY_ENTRIES = 0x200_0000;

export const ENTRY_BYTES = 4;
/** Entry: the grain is not stored; what lies below shows. */
export const ENTRY_NONE = 0;
/** Entry, if the flag says so: the grain reads as zeros, whatever lies below. */
export const ENTRY_ZERO = 1;

/** The header of sparse extents on VMFS, as far as anything is known of it. */
export const COWD_HEADER = new RecordLayout({
  magic: "bytes4",
  version: "u32",
  flags: "u32",
  capacity: "u32",
  grain_size: "u32",
  directory: "u32",
  directory_entries: "u32",
  next_free: "u32",
  parent: "bytes1024",
  parent_generation: "u32",
  generation: "u32",
  name: "bytes60",
  description: "bytes512",
  saved_generation: "u32",
  reserved: "u64",
  unclean: "u32",
}, { sizeBytes: 1652, endian: "little" });
export const COWD_VERSION = 1;
export const COWD_TABLE_ENTRIES = 4096;
