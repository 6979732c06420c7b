/**
 * Space-efficient sparse extents on disk (ESXi; qemu, block/vmdk.c, which is all that is known of them). All
 * numbers are little-endian and of 64 bits; offsets and sizes count sectors.
 *
 *     +-----------------+
 *     | constant header |
 *     |   volatile    --+--> volatile header: whether a journal has to be replayed
 *     |   directory   --+--> +---------------+
 *     |   tables      --+-.  | table of 16 MiB: number, or 0
 *     |   grains      --+-+. +---------------+
 *     +-----------------+ |`--> grain 0 ...
 *                         `--> table 0: 4096 entries
 *
 * The highest four bits of an entry of a table say what its grain is.
 *
 * @module
 */
import { RecordLayout } from "../../kit/record.ts";

/** What of the constant header is the same in all extents: sizes of grains and tables. */
export const CONSTANTS = {
  magic: 0xcafebaben,
  version: 0x2_0000_0001n,
  grain_size: 8n,
  table_size: 64n,
  flags: 0n,
} as const;

export const HEADER = new RecordLayout({
  magic: "u64",
  version: "u64",
  capacity: "u64",
  grain_size: "u64",
  table_size: "u64",
  flags: "u64",
  reserved: "bytes32",
  volatile_offset: "u64",
  volatile_size: "u64",
  journal_header_offset: "u64",
  journal_header_size: "u64",
  journal_offset: "u64",
  journal_size: "u64",
  directory_offset: "u64",
  directory_size: "u64",
  tables_offset: "u64",
  tables_size: "u64",
  bitmap_offset: "u64",
  bitmap_size: "u64",
  backmap_offset: "u64",
  backmap_size: "u64",
  grains_offset: "u64",
  grains_size: "u64",
}, { sizeBytes: 208, endian: "little" });

export const VOLATILE_HEADER = new RecordLayout({
  magic: "u64",
  free_table: "u64",
  next_transaction: "u64",
  replay_journal: "u64",
}, { sizeBytes: 32, endian: "little" });
export const VOLATILE_MAGIC = 0xcafecafen;

export const ENTRY_BYTES = 8;
export const TABLE_ENTRIES = 4096;
export const GRAIN_BYTES = 4096;
/** Of the disk, what one table is about. */
export const TABLE_SPAN: number = TABLE_ENTRIES * GRAIN_BYTES;

/** Upper half of a directory's entry; the lower one is the number of a table. */
export const TABLE_HIGH = 0x1000_0000;

/** What the highest four bits of a table's entry say. */
export const EntryType = {
  /** Whatever lies below shows. */
  none: 0,
  /** Given back by the guest: reads as zeros. */
  unmapped: 1,
  zero: 2,
  stored: 3,
} as const;
