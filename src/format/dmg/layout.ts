/**
 * DMG on disk (Apple's "UDIF", known by what others have found out: qemu, block/dmg.c; 7-Zip,
 * CPP/7zip/Archive/DmgHandler.cpp). All numbers are big-endian.
 *
 *     +--------------------+ <- data_fork_offset
 *     | chunk              | <---.
 *     | chunk              | <-. |
 *     +--------------------+   | |    +------------+ <- one table for each partition,
 *     | property list:     |   | |    | TABLE      |    or for what lies between them
 *     |   resource-fork    |   | `----+-- ENTRY    |
 *     |     blkx           |   `------+-- ENTRY    |
 *     |       Data --------+--------> +------------+
 *     +--------------------+
 *     | trailer            |
 *     +--------------------+
 *
 * Each entry tells of some sectors how they are stored; what no entry tells of are zeros. Instead of the
 * property list, there can be the resources of an old Macintosh file, which say the same.
 *
 * @module
 */
import { CompressionMethod } from "../../image/decoding.ts";
import { RecordLayout } from "../kit/record.ts";

export const SECTOR_BYTES = 512;

/** "koly", the version, and the size of the trailer: all of that belongs to the mark. */
export const TRAILER_MAGIC: Uint8Array = Uint8Array.of(
  ...[0x6b, 0x6f, 0x6c, 0x79],
  ...[0, 0, 0, 4],
  ...[0, 0, 2, 0],
);
/** At the start of an encrypted image, and of an older one, at the end: "encrcdsa", "cdsaencr". */
export const ENCRYPTED_MAGIC: Uint8Array = asciiBytes("encrcdsa");
export const OLD_ENCRYPTED_MAGIC: Uint8Array = asciiBytes("cdsaencr");

/** At the end of the file, or in its first sector. */
export const TRAILER = new RecordLayout({
  magic: "bytes12",
  flags: "u32",
  running_data_fork_offset: "u64",
  data_fork_offset: "u64",
  data_fork_length: "u64",
  resource_fork_offset: "u64",
  resource_fork_length: "u64",
  segment_number: "u32",
  segment_count: "u32",
  segment_id: "bytes16",
  data_checksum: "bytes136",
  plist_offset: "u64",
  plist_length: "u64",
  reserved: "bytes120",
  master_checksum: "bytes136",
  variant: "u32",
  sectors: "u64",
  padding: "bytes12",
}, { sizeBytes: 512, endian: "big" });

/** How a checksum of 136 bytes begins; of a CRC-32, the first word of the rest is all. */
export const CHECKSUM = { type: 0, bits: 4, value: 8, crc32: 2 } as const;

/** "mish" */
export const TABLE_MAGIC = 0x6d697368;

/** Followed by its entries. */
export const TABLE = new RecordLayout({
  magic: "u32",
  version: "u32",
  first_sector: "u64",
  sectors: "u64",
  data_offset: "u64",
  buffer_sectors: "u32",
  descriptor: "u32",
  reserved: "bytes24",
  checksum: "bytes136",
  entries: "u32",
}, { sizeBytes: 204, endian: "big" });

/** `sector` counts from the table's first one on, `offset` from its data. */
export const ENTRY = new RecordLayout({
  type: "u32",
  comment: "u32",
  sector: "u64",
  sectors: "u64",
  offset: "u64",
  length: "u64",
}, { sizeBytes: 40, endian: "big" });

/** How sectors are stored, where they are not compressed. */
export const ChunkType = {
  zero: 0,
  raw: 1,
  /** Space that is free; it reads as zeros. */
  free: 2,
  comment: 0x7ffffffe,
  end: 0xffffffff,
} as const;

/** How they are compressed, by type. */
export const METHODS: ReadonlyMap<number, CompressionMethod> = new Map([
  [0x80000004, CompressionMethod.Adc],
  [0x80000005, CompressionMethod.Zlib],
  [0x80000006, CompressionMethod.Bzip2],
  [0x80000007, CompressionMethod.Lzfse],
  [0x80000008, CompressionMethod.Xz],
]);

/** Their names, by method. */
export const METHOD_NAMES: ReadonlyMap<CompressionMethod, string> = new Map([
  [CompressionMethod.Adc, "adc"],
  [CompressionMethod.Zlib, "zlib"],
  [CompressionMethod.Bzip2, "bzip2"],
  [CompressionMethod.Lzfse, "lzfse"],
  [CompressionMethod.Xz, "xz"],
]);

/** Compressed, and decompressed: as in qemu. */
export const MAX_CHUNK_BYTES: number = 64 * 1024 * 1024;
/** Of the property list or the resources: a hundred times what an installer of 10 GB has. */
export const MAX_DESCRIPTION_BYTES: number = 64 * 1024 * 1024;

function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
