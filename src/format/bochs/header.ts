/**
 * The header: parsed, and every value checked that reading the disk relies on.
 *
 * @module
 */
import { ImageFormatError, UnsupportedFeatureError } from "../../image/errors.ts";
import { servedSize } from "../../image/exact.ts";
import { BOCHS } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import {
  BITS_IN_BYTE,
  ENTRY_BYTES,
  HEADER,
  HEADER_BYTES,
  MAGIC,
  MAX_CATALOG_ENTRIES,
  MAX_EXTENT_BYTES,
  MIN_EXTENT_BYTES,
  SECTOR_BYTES,
  Subtype,
  TYPE,
  VERSION_1,
  VERSION_2,
} from "./layout.ts";

/** What the driver needs of a valid header. */
export interface Header {
  readonly sizeBytes: number;
  readonly extentBytes: number;
  /** How many bytes of a bitmap there are sectors for. */
  readonly bitmapBytes: number;
  /** Where the sectors of a stored extent begin in it. */
  readonly sectorsStart: number;
  /** How far apart stored extents are. */
  readonly strideBytes: number;
  readonly catalogOffset: number;
  readonly catalogEntries: number;
}

/** The header's fields. */
export interface Fields extends Omit<ReturnType<typeof HEADER.read>, "subtype"> {
  readonly subtype: string;
}

/**
 * Reads and checks the header of an image.
 *
 * @throws {ImageFormatError} if it is not a valid header
 * @throws {UnsupportedFeatureError} if it is one of another version, or of what lies on another image
 * @throws {SystemError} if the file cannot be read
 */
export function readHeader(file: ImageFile): Header {
  const fields = readFields(file);
  if (fields.subtype !== Subtype.growing) {
    const feature = `an image below that they do not name (${fields.subtype})`;
    throw new UnsupportedFeatureError(BOCHS.name, file.path, feature);
  }
  checkExtents(fields, file);
  const { header, catalog, bitmap, extent } = fields;
  const sectorsStart = wholeSectors(bitmap);
  return {
    sizeBytes: servedSize(diskSize(fields), BOCHS.name, file.path),
    extentBytes: extent,
    bitmapBytes: bitmapBytesOf(extent),
    sectorsStart,
    strideBytes: sectorsStart + extent,
    catalogOffset: header,
    catalogEntries: catalog,
  };
}

/** The header's fields, of whatever subtype; throws as {@link readHeader}. */
export function readFields(file: ImageFile): Fields {
  if (file.sizeBytes < HEADER_BYTES) throw damaged(file, "the file is too short for a header");
  const head = new IoBuffer(HEADER.sizeBytes);
  file.read(head, 0, 0, head.size);
  const fields = HEADER.read(head.view, 0);
  const subtype = text(fields.subtype);
  const isKnown = Object.values<string>(Subtype).includes(subtype);
  if (text(fields.magic) !== MAGIC || text(fields.type) !== TYPE || !isKnown) {
    throw damaged(file, "this is no redolog of Bochs");
  }
  const { version } = fields;
  if (version === VERSION_2) return { ...fields, subtype };
  if (version === VERSION_1) {
    return { ...fields, subtype, disk: head.view.getBigUint64(HEADER.offsets.timestamp, true) };
  }
  throw new UnsupportedFeatureError(BOCHS.name, file.path, `version ${version >>> 16}`);
}

/** Size of the disk in bytes: whole sectors. */
export function diskSize({ disk }: Fields): bigint {
  const sector = BigInt(SECTOR_BYTES);
  return disk / sector * sector;
}

function checkExtents(fields: Fields, file: ImageFile): void {
  const { header, catalog, bitmap, extent } = fields;
  const isPowerOfTwo = (extent & (extent - 1)) === 0;
  if (extent < MIN_EXTENT_BYTES || extent > MAX_EXTENT_BYTES || !isPowerOfTwo) {
    throw damaged(file, `extents of ${extent} bytes are not possible`);
  }
  if (bitmap < bitmapBytesOf(extent)) {
    throw damaged(file, `bitmaps of ${bitmap} bytes are too short for extents of ${extent}`);
  }
  if (catalog > MAX_CATALOG_ENTRIES) throw damaged(file, `${catalog} extents are too many`);
  if (header < HEADER_BYTES || header + catalog * ENTRY_BYTES > file.sizeBytes) {
    throw damaged(file, "the catalog cannot be where it is said to be");
  }
  if (diskSize(fields) > BigInt(catalog * extent)) {
    throw damaged(file, "the catalog is too short for the disk");
  }
}

function bitmapBytesOf(extentBytes: number): number {
  return Math.ceil(extentBytes / SECTOR_BYTES / BITS_IN_BYTE);
}

function wholeSectors(bytes: number): number {
  return Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES;
}

/** Up to its first NUL. */
function text(bytes: Uint8Array): string {
  const [first = ""] = String.fromCharCode(...bytes).split("\0", 1);
  return first;
}

function damaged({ path }: ImageFile, message: string): ImageFormatError {
  return new ImageFormatError(BOCHS.name, path, message, 0);
}
