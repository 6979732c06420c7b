/**
 * Expert Witness files, version 1 (EnCase; libewf's "Expert Witness Compression Format"): segments .E01, .E02
 * and so on, each of sections that are chained by their offsets.
 *
 *     segment   │ file header │ section │ section │ ... │ "next", in the last segment "done" │
 *     section   │ descriptor: type, offset of the next one, size │ data │
 *     "volume"  size of the disk, of a chunk, of a sector; in later segments "data" repeats it
 *     "sectors" chunks: zlib streams, or plain bytes with an Adler-32 behind them
 *     "table"   where those chunks are; "table2" is its copy
 *     "hash"    MD5 of the disk; "digest" has its SHA-1, too
 *
 *     table     │ entries, base offset, Adler-32 │ entries: bit 31 compressed, else offset - base │ Adler-32 │
 *
 * A chunk ends where the next one begins, the last one of a table with its section of chunks.
 *
 * @module
 */
import { RecordLayout } from "../kit/record.ts";

/** A file begins with it, and so does each further segment. */
export const MAGIC = Uint8Array.of(0x45, 0x56, 0x46, 0x09, 0x0d, 0x0a, 0xff, 0x00);
/** Version 2 (Ex01). */
export const MAGIC_2 = Uint8Array.of(0x45, 0x56, 0x46, 0x32, 0x0d, 0x0a, 0x81, 0x00);

export const FILE_HEADER = new RecordLayout({
  magic: "bytes8",
  fields_start: "u8",
  segment: "u16",
  fields_end: "u16",
}, { sizeBytes: 13, endian: "little" });

export const SECTION = new RecordLayout({
  type: "bytes16",
  next: "u64",
  size: "u64",
  padding: "bytes40",
  /** Adler-32 of all that is before it. */
  checksum: "u32",
}, { sizeBytes: 76, endian: "little" });

export const VOLUME = new RecordLayout({
  media_type: "u8",
  unknown1: "bytes3",
  chunks: "u32",
  sectors_per_chunk: "u32",
  bytes_per_sector: "u32",
  sectors: "u64",
  unknown2: "bytes40",
  set_identifier: "bytes16",
  unknown3: "bytes968",
  checksum: "u32",
}, { sizeBytes: 1052, endian: "little" });

export const TABLE = new RecordLayout({
  entries: "u32",
  padding1: "u32",
  base: "u64",
  padding2: "u32",
  checksum: "u32",
}, { sizeBytes: 24, endian: "little" });

/** Of the section "hash". */
export const HASH = new RecordLayout({
  md5: "bytes16",
  unknown: "bytes16",
  checksum: "u32",
}, { sizeBytes: 36, endian: "little" });

/** Of the section "digest". */
export const DIGEST = new RecordLayout({
  md5: "bytes16",
  sha1: "bytes20",
  padding: "bytes40",
  checksum: "u32",
}, { sizeBytes: 80, endian: "little" });

export const ENTRY_BYTES = 4;
export const CHECKSUM_BYTES = 4;
/** Of an entry: the chunk is a zlib stream. */
export const COMPRESSED_FLAG = 0x8000_0000;

export const MIN_SECTOR_BYTES = 512;
export const MAX_SECTOR_BYTES = 4096;
/** Programs write 32 KiB, and let choose up to some megabytes. */
export const MAX_CHUNK_BYTES: number = 16 * 1024 * 1024;
/** Programs write 16,375 entries in a table, or 65,534. */
export const MAX_TABLE_ENTRIES: number = 256 * 1024;
