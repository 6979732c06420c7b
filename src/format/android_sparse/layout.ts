/**
 * Android's sparse images on disk (AOSP, system/core/libsparse/sparse_format.h). All numbers are
 * little-endian.
 *
 *     +-------------------+
 *     | header            |
 *     +-------------------+
 *     | chunk header: raw |
 *     |   bytes           |  chunk_sz blocks
 *     +-------------------+
 *     | chunk header: fill|
 *     |   4 bytes         |  for chunk_sz blocks
 *     +-------------------+
 *     | chunk header:     |
 *     |   don't care      |  chunk_sz blocks that are not stored
 *     +-------------------+
 *
 * The chunks follow each other as their blocks do in the disk.
 *
 * @module
 */
import { RecordLayout } from "../kit/record.ts";

/** 0xed26ff3a, and the major version. */
export const MAGIC_BYTES: Uint8Array = Uint8Array.of(0x3a, 0xff, 0x26, 0xed, 1, 0);

export const HEADER = new RecordLayout({
  magic: "bytes4",
  major_version: "u16",
  minor_version: "u16",
  file_hdr_sz: "u16",
  chunk_hdr_sz: "u16",
  blk_sz: "u32",
  total_blks: "u32",
  total_chunks: "u32",
  image_checksum: "u32",
}, { sizeBytes: 28, endian: "little" });

export const MAJOR_VERSION = 1;

export const CHUNK_HEADER = new RecordLayout({
  chunk_type: "u16",
  reserved: "u16",
  chunk_sz: "u32",
  total_sz: "u32",
}, { sizeBytes: 12, endian: "little" });

export const ChunkType = { raw: 0xcac1, fill: 0xcac2, dontCare: 0xcac3, crc32: 0xcac4 } as const;

/** Bytes that a fill chunk repeats; a checksum has as many. */
export const WORD_BYTES = 4;

/** Blocks are of whole words, and nobody has smaller ones than sectors. */
export const MIN_BLOCK_BYTES = 512;
export const MAX_BLOCK_BYTES: number = 64 * 1024 * 1024;
/** Each takes some bytes of memory. The images of whole phones have some thousands. */
export const MAX_CHUNKS: number = 4 * 1024 * 1024;
