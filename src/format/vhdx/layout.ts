/**
 * VHDX on disk (Microsoft, [MS-VHDX]). All numbers are little-endian.
 *
 *     0        64 KiB     128 KiB    192 KiB         256 KiB         from 1 MiB on, in any order
 *     +--------+----------+----------+---------------+---------------+-----+-------+----------+--------+
 *     | mark   | header 1 | header 2 | region table  | its copy      | log | BAT   | metadata | blocks |
 *     +--------+----------+----------+---------------+---------------+-----+-------+----------+--------+
 *                   |                     |                             ^     ^         ^
 *                   `---------------------+--- where the log is --------'     |         |
 *                                         `--- where the regions are ---------+---------'
 *
 * Of the headers, the valid one with the higher sequence number counts. The block allocation table (BAT)
 * says of each block of the disk where it is. For each chunk of the disk, which is what 2^23 bits stand for
 * that are a sector each, there is an entry more, which says where these bits are:
 *
 *     block 0 | block 1 | ... | block R-1 | bits of chunk 0 | block R | ...
 *
 * Metadata are changed through the log: where it is not empty, what is in it has to be put into its place
 * before anything is read.
 *
 * @module
 */
import { RecordLayout } from "../kit/record.ts";

const KIB = 1024;
const MIB: number = KIB * KIB;

export const MARK: Uint8Array = ascii("vhdxfile");

/** The headers, of which only the beginning has fields; the checksum is that of all of it. */
export const HEADER_OFFSETS: readonly [number, number] = [64 * KIB, 128 * KIB];
export const HEADER_BYTES = 4096;
export const HEADER_SIGNATURE = 0x64616568;
export const VERSION = 1;
export const LOG_VERSION = 0;

export const HEADER = new RecordLayout({
  signature: "u32",
  checksum: "u32",
  sequence_number: "u64",
  file_write_guid: "bytes16",
  data_write_guid: "bytes16",
  log_guid: "bytes16",
  log_version: "u16",
  version: "u16",
  log_length: "u32",
  log_offset: "u64",
}, { sizeBytes: 80, endian: "little" });

export const REGION_TABLE_OFFSETS: readonly [number, number] = [192 * KIB, 256 * KIB];
export const REGION_TABLE_BYTES: number = 64 * KIB;
export const REGION_SIGNATURE = 0x69676572;
export const MAX_ENTRIES = 2047;

export const REGION_TABLE = new RecordLayout({
  signature: "u32",
  checksum: "u32",
  entry_count: "u32",
  reserved: "u32",
}, { sizeBytes: 16, endian: "little" });

export const REGION_ENTRY = new RecordLayout({
  guid: "bytes16",
  file_offset: "u64",
  length: "u32",
  required: "u32",
}, { sizeBytes: 32, endian: "little" });

/** Where the log, regions and blocks may begin, and what their lengths are multiples of. */
export const ALIGNMENT: number = MIB;

export const Region = {
  bat: "2dc27766-f623-4200-9d64-115e9bfd4a08",
  metadata: "8b7ca206-4790-4b9a-b8fe-575f050f886e",
} as const;

export const METADATA_MARK: Uint8Array = ascii("metadata");
export const METADATA_TABLE_BYTES: number = 64 * KIB;
export const MAX_ITEM_BYTES: number = MIB;

export const METADATA_TABLE = new RecordLayout({
  signature: "bytes8",
  reserved: "u16",
  entry_count: "u16",
  reserved2: "bytes20",
}, { sizeBytes: 32, endian: "little" });

export const METADATA_ENTRY = new RecordLayout({
  item_id: "bytes16",
  offset: "u32",
  length: "u32",
  flags: "u32",
  reserved: "u32",
}, { sizeBytes: 32, endian: "little" });

/** Bit of `flags`: an item that has to be understood. */
export const ITEM_REQUIRED = 4;

export const Item = {
  fileParameters: "caa16737-fa36-4d43-b3b6-33f0aa44e76b",
  diskSize: "2fa54224-cd1b-4876-b211-5dbed83bf4b8",
  diskId: "beca12ab-b2e6-4523-93ef-c309e000c746",
  logicalSector: "8141bf1d-a96f-4709-ba47-f233a8faab5f",
  physicalSector: "cda348c7-445d-4471-9cc9-e9885251c556",
  parentLocator: "a8d35f2d-b30b-454d-abf7-d3d84834ab0c",
} as const;

export const FILE_PARAMETERS = new RecordLayout({
  block_size: "u32",
  flags: "u32",
}, { sizeBytes: 8, endian: "little" });

/** Bits of the flags of the file parameters. */
export const LEAVE_BLOCKS_ALLOCATED = 1;
export const HAS_PARENT = 2;

export const MIN_BLOCK_BYTES: number = MIB;
export const MAX_BLOCK_BYTES: number = 256 * MIB;
export const MAX_DISK_BYTES: number = 64 * 2 ** 40;
export const SECTOR_SIZES: readonly number[] = [512, 4096];

/** The type of a parent locator: the parent is a VHDX image, too. */
export const VHDX_LOCATOR = "b04aefb7-d19e-4a81-b789-25b8e9445913";

export const PARENT_LOCATOR = new RecordLayout({
  locator_type: "bytes16",
  reserved: "u16",
  key_value_count: "u16",
}, { sizeBytes: 20, endian: "little" });

export const LOCATOR_ENTRY = new RecordLayout({
  key_offset: "u32",
  value_offset: "u32",
  key_length: "u16",
  value_length: "u16",
}, { sizeBytes: 12, endian: "little" });

/** Of the BAT: 3 bits of state, and from bit 20 on where it is, in MiB. */
export const BAT_ENTRY_BYTES = 8;
export const STATE_MASK = 7;
export const PLACE_SHIFT = 20;

export const BlockState = {
  /** Whatever lies below. */
  notPresent: 0,
  undefined: 1,
  zero: 2,
  unmapped: 3,
  /** As `unmapped`, in version 0.95 of the specification. */
  unmappedBefore: 5,
  fullyPresent: 6,
  /** Some of its sectors: the bits of its chunk say which. */
  partiallyPresent: 7,
} as const;

/** State of the entry for the bits of a chunk. */
export const BITMAP_PRESENT = 6;
export const BITMAP_BLOCK_BYTES: number = MIB;
/** A chunk has as many sectors. */
export const CHUNK_SECTORS: number = 8 * BITMAP_BLOCK_BYTES;

/** What is logged is a whole page of the file. */
export const PAGE_BYTES = 4096;
export const LOG_SIGNATURE = 0x65676f6c;
export const ZERO_SIGNATURE = 0x6f72657a;
export const DESCRIPTOR_SIGNATURE = 0x63736564;
export const DATA_SIGNATURE = 0x61746164;

export const LOG_ENTRY = new RecordLayout({
  signature: "u32",
  checksum: "u32",
  entry_length: "u32",
  tail: "u32",
  sequence_number: "u64",
  descriptor_count: "u32",
  reserved: "u32",
  log_guid: "bytes16",
  flushed_file_offset: "u64",
  last_file_offset: "u64",
}, { sizeBytes: 64, endian: "little" });

/**
 * Says where a page belongs, and what it begins and ends with: in the log, there are signature and sequence
 * number in these places. Or, with another signature, how many bytes of zeros belong there.
 */
export const DESCRIPTOR = new RecordLayout({
  signature: "u32",
  trailing_bytes: "u32",
  leading_bytes: "u64",
  file_offset: "u64",
  sequence_number: "u64",
}, { sizeBytes: 32, endian: "little" });

/** Of a page in the log, what its descriptor has. */
export const LEADING_BYTES = 8;
export const TRAILING_BYTES = 4;

function ascii(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
