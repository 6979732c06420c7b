/**
 * VDI on disk (VirtualBox, src/VBox/Storage/VDICore.h; qemu, block/vdi.c). All numbers are little-endian.
 *
 *     +--------------------+
 *     | header             |
 *     |   offset_blocks ---+--> +--------------------+
 *     |   offset_data -----+-.  | map                |
 *     +--------------------+ |  |   block 0 (1)   ---+--.
 *                            |  |   block 1 (0)   ---+--+-.
 *                            |  |   block 2 (free)   |  | |
 *                            |  +--------------------+  | |
 *                            `> +--------------------+ <+-'
 *                               | stored block 0     |  |
 *                               +--------------------+ <'
 *                               | stored block 1     |
 *                               +--------------------+
 *
 * Each entry of the map says which stored block has the bytes of one block of the disk. They are stored in
 * the order in which they were first written to, the last one whole though the disk may end within it.
 * In front of the bytes of a stored block there may be `block_extra` others.
 *
 * @module
 */
import { RecordLayout } from "../kit/record.ts";

/** Follows 64 bytes of text, which nobody checks. */
export const MAGIC = 0xbeda107f;
export const MAGIC_OFFSET = 64;
export const MAGIC_BYTES: Uint8Array = Uint8Array.of(0x7f, 0x10, 0xda, 0xbe);

export const HEADER = new RecordLayout({
  text: "bytes64",
  magic: "u32",
  version: "u32",
  header_size: "u32",
  type: "u32",
  flags: "u32",
  comment: "bytes256",
  offset_blocks: "u32",
  offset_data: "u32",
  cylinders: "u32",
  heads: "u32",
  sectors: "u32",
  sector_size: "u32",
  unused: "u32",
  disk_size: "u64",
  block_size: "u32",
  block_extra: "u32",
  blocks: "u32",
  blocks_allocated: "u32",
  uuid: "bytes16",
  uuid_modified: "bytes16",
  uuid_parent: "bytes16",
  uuid_parent_modified: "bytes16",
}, { sizeBytes: 456, endian: "little" });

/** The upper half of `version`: the structures are those of version 1.1, or a later 1.x. */
export const MAJOR_VERSION = 1;
/** `header_size` counts from its own offset on. */
export const MIN_HEADER_SIZE: number = 0x180;

export const ImageType = { dynamic: 1, fixed: 2, undo: 3, differencing: 4 } as const;

export const SECTOR_BYTES = 512;
export const MIN_BLOCK_BYTES = 4096;
export const MAX_BLOCK_BYTES: number = 256 * 1024 * 1024;

export const ENTRY_BYTES = 4;
/** Entry: the block has never been written to; what lies below shows. */
export const ENTRY_FREE = 0xffff_ffff;
/** Entry: the block reads as zeros, whatever lies below. Larger than any number of a stored block. */
export const ENTRY_ZERO = 0xffff_fffe;
