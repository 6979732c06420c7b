/**
 * VHD on disk (Virtual Hard Disk Image Format Specification, Microsoft, version 1.0; qemu, block/vpc.c). All
 * numbers are big-endian, but for the text of some locators.
 *
 *     fixed            dynamic, differencing
 *     +--------+       +--------------------------+
 *     | the    |       | copy of the footer       |
 *     | disk   |       |   data_offset -----------+--> dynamic header
 *     |        |       | dynamic header           |      table_offset ----> allocation table
 *     +--------+       |   parent, its locators --+--> names
 *     | footer |       | names of the parent      |
 *     +--------+       | allocation table         |
 *                      |   block 0 (none)         |
 *                      |   block 1 (sector n)   --+--> +--------------------------+
 *                      +--------------------------+    | bitmap: a bit a sector   |
 *                      | blocks                   |    | sectors of the block     |
 *                      | footer                   |    +--------------------------+
 *                      +--------------------------+
 *
 * In a differencing image, a sector whose bit is 0 is the parent's; elsewhere the bitmap says nothing that
 * matters, for sectors with bit 0 have zeros.
 *
 * @module
 */
import { RecordLayout } from "../kit/record.ts";

/** "conectix", at the start of the footer. */
export const COOKIE: Uint8Array = new TextEncoder().encode("conectix");
/** "cxsparse", at the start of the dynamic header. */
export const DYNAMIC_COOKIE: Uint8Array = new TextEncoder().encode("cxsparse");
export const FOOTER_BYTES = 512;

export const FOOTER = new RecordLayout({
  cookie: "bytes8",
  features: "u32",
  version: "u32",
  data_offset: "u64",
  time: "u32",
  creator: "bytes4",
  creator_version: "u32",
  creator_os: "bytes4",
  original_size: "u64",
  current_size: "u64",
  cylinders: "u16",
  heads: "u8",
  sectors: "u8",
  type: "u32",
  checksum: "u32",
  uuid: "bytes16",
  saved_state: "u8",
  reserved: "bytes427",
}, { sizeBytes: FOOTER_BYTES, endian: "big" });

export const DYNAMIC_HEADER = new RecordLayout({
  cookie: "bytes8",
  data_offset: "u64",
  table_offset: "u64",
  version: "u32",
  max_table_entries: "u32",
  block_size: "u32",
  checksum: "u32",
  parent_uuid: "bytes16",
  parent_time: "u32",
  reserved: "u32",
  parent_name: "bytes512",
  locators: "bytes192",
  reserved2: "bytes256",
}, { sizeBytes: 1024, endian: "big" });

/** One of the eight in the dynamic header. */
export const LOCATOR = new RecordLayout({
  code: "bytes4",
  space: "u32",
  length: "u32",
  reserved: "u32",
  offset: "u64",
}, { sizeBytes: 24, endian: "big" });

export const DiskType = { fixed: 2, dynamic: 3, differencing: 4 } as const;
export const VERSION = 0x10000;
export const MAJOR_VERSION = 1;

/** Who has written these goes by the geometry, not by the size: as qemu 10, block/vpc.c. */
export const CREATORS_BY_GEOMETRY: readonly string[] = ["vpc ", "qemu"];
/** The largest geometry there is, which says no more than that the disk is large. */
export const MAX_GEOMETRY = { cylinders: 65535, heads: 16, sectors: 255 } as const;

export const SECTOR_BYTES = 512;
/** Sectors of the disk that one sector of a bitmap is about. */
export const BITMAP_SECTOR_BITS: number = 8 * SECTOR_BYTES;
export const MIN_BLOCK_BYTES = 4096;
export const MAX_BLOCK_BYTES: number = 256 * 1024 * 1024;
export const ENTRY_BYTES = 4;
/** Entry of the allocation table: the block is not stored. */
export const ENTRY_NONE = 0xffff_ffff;
/** Names of parents that are longer are no names. */
export const MAX_LOCATOR_BYTES = 65536;
