/**
 * Parallels' expanding images, the `.hds` files of a disk (qemu, docs/interop/parallels.txt). All numbers are
 * little-endian.
 *
 *     0   +--------------------+
 *         | header             |
 *     64  +--------------------+
 *         | BAT                |
 *         |   cluster 0 (2) ---+--.
 *         |   cluster 1 (0)    |  |   nothing stored
 *         |   cluster 2 (1) ---+--+-.
 *         +--------------------+  | |
 *         | data               |  | |
 *         +--------------------+ <+-'
 *         | a cluster          |  |
 *         +--------------------+ <'
 *         | a cluster          |
 *         +--------------------+
 *
 * Each entry of the BAT says where one cluster of the disk is: in sectors in the older images
 * ("WithoutFreeSpace"), in clusters in the newer ones ("WithouFreSpacExt"), from the start of the file on.
 *
 * @module
 */
import { RecordLayout } from "../kit/record.ts";

export const HEADER = new RecordLayout({
  magic: "bytes16",
  version: "u32",
  heads: "u32",
  cylinders: "u32",
  /** Sectors of a cluster. */
  tracks: "u32",
  bat_entries: "u32",
  nb_sectors: "u64",
  inuse: "u32",
  data_off: "u32",
  flags: "u32",
  ext_off: "u64",
}, { sizeBytes: 64, endian: "little" });

export const MAGICS = {
  sectors: new TextEncoder().encode("WithoutFreeSpace"),
  clusters: new TextEncoder().encode("WithouFreSpacExt"),
} as const;

export const VERSION = 2;

/** `inuse` of an image that is open, or was not closed in order. */
export const IN_USE = 0x746f6e59;
/** `flags`: nothing is stored. */
export const FLAG_EMPTY = 1;

export const SECTOR_BYTES = 512;
export const ENTRY_BYTES = 4;
/** Entry: nothing is stored; what lies below shows. */
export const ENTRY_FREE = 0;
/** qemu's limit. */
export const MAX_CLUSTER_SECTORS: number = Math.floor((2 ** 31 - 1) / 513);

/** What the extension begins with. */
export const EXTENSION = new RecordLayout({ magic: "u64", checksum: "bytes16" }, {
  sizeBytes: 24,
  endian: "little",
});
export const EXTENSION_MAGIC = 0xab234cef23dcea87n;

/** What each of its parts begins with; one whose magic is 0 ends them. */
export const FEATURE = new RecordLayout({
  magic: "u64",
  flags: "u64",
  data_size: "u32",
  unused: "u32",
}, { sizeBytes: 24, endian: "little" });
export const FEATURE_DIRTY_BITMAP = 0x20385fae252cb34an;
/** `flags`: who does not know it cannot open the image. */
export const FEATURE_NECESSARY = 1n;
