/**
 * Redologs of Bochs on disk (bochs, iodev/hdimage/hdimage.h; qemu, block/bochs.c). All numbers are
 * little-endian.
 *
 *     +----------------+
 *     | header         |
 *     |   header    ---+--> +-----------------+
 *     +----------------+    | catalog         |
 *                           |   extent 0 (1) -+--.
 *                           |   extent 1 (none)  |
 *                           |   extent 2 (0) -+--+-.
 *                           +-----------------+ <+-'  extents begin behind the catalog
 *                           | bitmap, sectors |  |
 *                           +-----------------+ <'
 *                           | bitmap, sectors |
 *                           +-----------------+
 *
 * Each entry of the catalog says which stored extent has the sectors of one extent of the disk. They are
 * stored in the order in which they were first written to, the bitmap of each in front of its sectors and
 * both rounded up to whole sectors. A bit, the lowest of a byte first, says whether a sector is stored.
 *
 * @module
 */
import { RecordLayout } from "../kit/record.ts";

/** Texts are ended by a NUL. */
export const MAGIC = "Bochs Virtual HD Image";
export const TYPE = "Redolog";

/** What is in place of what is not stored: zeros, or (the others) an image that has no name here. */
export const Subtype = { growing: "Growing", undoable: "Undoable", volatile: "Volatile" } as const;

export const HEADER = new RecordLayout({
  magic: "bytes32",
  type: "bytes16",
  subtype: "bytes16",
  version: "u32",
  header: "u32",
  catalog: "u32",
  bitmap: "u32",
  extent: "u32",
  timestamp: "u32",
  disk: "u64",
}, { sizeBytes: 96, endian: "little" });

/** Version 1 has no time stamp: the size of the disk lies where that is in version 2. */
export const VERSION_1 = 0x10000;
export const VERSION_2 = 0x20000;
/** Least that `header` can be: the structure is padded to that. */
export const HEADER_BYTES = 512;

export const SECTOR_BYTES = 512;
export const BITS_IN_BYTE = 8;

// qemu's limits
export const MAX_CATALOG_ENTRIES: number = 1024 * 1024;
export const MIN_EXTENT_BYTES: number = SECTOR_BYTES;
export const MAX_EXTENT_BYTES: number = 8 * 1024 * 1024;

export const ENTRY_BYTES = 4;
/** Entry: the extent has never been written to. */
export const ENTRY_NONE = 0xffff_ffff;
