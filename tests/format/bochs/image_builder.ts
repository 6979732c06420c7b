/**
 * Small redologs of Bochs, made byte by byte.
 *
 * @module
 */
import {
  ENTRY_NONE,
  HEADER,
  HEADER_BYTES,
  MAGIC,
  SECTOR_BYTES,
  VERSION_1,
  VERSION_2,
} from "../../../src/format/bochs/layout.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Of an extent, of the bitmap in front of it, and how many of them a disk has. */
export const EXTENT = 8192;
export const BITMAP: number = SECTOR_BYTES;
export const EXTENTS = 8;
/** Where the catalog is, and the first extent. */
export const CATALOG: number = HEADER_BYTES;
export const STORED: number = CATALOG + 4 * EXTENTS;
const STRIDE = BITMAP + EXTENT;

export interface BochsParts {
  readonly header?: Parameters<typeof HEADER.write>[2];
  /** Which stored extent each extent of the disk has; stored extent n has bytes of n + 1. */
  readonly map?: readonly (number | undefined)[];
  /** The two bytes of each stored extent's bitmap, the first in the low half. */
  readonly bits?: readonly number[];
  readonly stored?: number;
}

/** An image of eight extents. */
export function buildBochs(
  { header = {}, map = [], bits = [], stored = 4 }: BochsParts = {},
): Bytes {
  const bytes = new Uint8Array(STORED + stored * STRIDE);
  const view = new DataView(bytes.buffer);
  const values = {
    magic: text(MAGIC, 32),
    type: text("Redolog", 16),
    subtype: text("Growing", 16),
    version: VERSION_2,
    header: HEADER_BYTES,
    catalog: EXTENTS,
    bitmap: 2,
    extent: EXTENT,
    timestamp: 0,
    disk: BigInt(EXTENTS * EXTENT),
    ...header,
  };
  HEADER.write(view, 0, values);
  if (values.version === VERSION_1) view.setBigUint64(HEADER.offsets.timestamp, values.disk, true);
  for (let extent = 0; extent < EXTENTS; extent++) {
    view.setUint32(CATALOG + 4 * extent, map[extent] ?? ENTRY_NONE, true);
  }
  for (let n = 0; n < stored; n++) {
    const start = STORED + n * STRIDE;
    view.setUint16(start, bits[n] ?? 0xffff, true);
    bytes.fill(n + 1, start + BITMAP, start + STRIDE);
  }
  return bytes;
}

/** A text with NULs behind it. */
export function text(value: string, lengthBytes: number): Bytes {
  const bytes = new Uint8Array(lengthBytes);
  bytes.set(new TextEncoder().encode(value));
  return bytes;
}
