/**
 * Apple's sparse disk images (.sparseimage) on disk. All numbers are big-endian. There is no
 * specification: this is what three readers and a writer by others agree on (libmodi, apfs-fuse, mac_apt,
 * fsdump).
 *
 *     0       +-------------------------------+
 *             | header: sectors per band, ... |
 *             |   next node ------------------+------.
 *             |   band 5, band 0, none, ...   |      |   of the disk: one more than the number, or 0
 *     4096    +-------------------------------+      |
 *             | band 5                        |      |
 *             +-------------------------------+      |
 *             | band 0                        |      |
 *             +-------------------------------+ <----'
 *             | node: next node, bands        |
 *             +-------------------------------+
 *             | bands                         |
 *             +-------------------------------+
 *
 * A node, of which the header is the first, has a slot for each band that lies behind it; the slot says
 * which band of the disk that is. Bands that are in no slot have never been written to.
 *
 * @module
 */
import { RecordLayout } from "../kit/record.ts";

/** "sprs" */
export const MAGIC = 0x73707273;
export const VERSION = 3;

export const HEADER = new RecordLayout({
  magic: "u32",
  version: "u32",
  bandSectors: "u32",
  flags: "u32",
  /** The low half of the field behind the next one. */
  lowSectors: "u32",
  nextNode: "u64",
  sectors: "u64",
  reserved: "bytes28",
}, { sizeBytes: 64, endian: "big" });

/** Of a node that is not the first one. */
export const NODE = new RecordLayout({
  magic: "u32",
  number: "u32",
  flags: "u32",
  nextNode: "u64",
  reserved: "bytes36",
}, { sizeBytes: 56, endian: "big" });

/** Of a node with its slots. */
export const NODE_BYTES = 4096;
export const SLOT_BYTES = 4;
export const SECTOR_BYTES = 512;

/** hdiutil makes bands of 2,048 sectors. */
export const MAX_BAND_SECTORS: number = 256 * 1024 * 1024 / SECTOR_BYTES;
