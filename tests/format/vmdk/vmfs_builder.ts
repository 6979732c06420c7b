/**
 * Small sparse extents of ESX, made byte by byte.
 *
 * @module
 */
import { COWD_HEADER, COWD_MARK } from "../../../src/format/vmdk/layout.ts";
import {
  CONSTANTS,
  GRAIN_BYTES,
  HEADER,
  TABLE_HIGH,
  VOLATILE_HEADER,
  VOLATILE_MAGIC,
} from "../../../src/format/vmdk/sesparse/layout.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const SECTOR = 512;

/** Where a COWD extent has its directory and its first table, in sectors, and its grains. */
export const COWD_DIRECTORY = 4;
export const COWD_TABLE = 5;
const COWD_GRAINS = 37;

export interface CowdParts {
  readonly header?: Parameters<typeof COWD_HEADER.write>[2];
  /** Which stored sector each sector of the disk has; stored sector n has bytes of n + 1. */
  readonly map: ReadonlyMap<number, number>;
  readonly sectors: number;
}

/** An extent with grains of one sector, and one table. */
export function buildCowd({ header = {}, map, sectors }: CowdParts): Bytes {
  const stored = Math.max(0, ...map.values()) + 1;
  const bytes = new Uint8Array((COWD_GRAINS + stored) * SECTOR);
  const view = new DataView(bytes.buffer);
  COWD_HEADER.write(view, 0, {
    magic: COWD_MARK.slice() as Bytes,
    version: 1,
    flags: 3,
    capacity: sectors,
    grain_size: 1,
    directory: COWD_DIRECTORY,
    directory_entries: Math.ceil(sectors / 4096),
    next_free: COWD_GRAINS + stored,
    ...header,
  });
  view.setUint32(COWD_DIRECTORY * SECTOR, COWD_TABLE, true);
  for (const [sector, n] of map) {
    view.setUint32(COWD_TABLE * SECTOR + 4 * sector, COWD_GRAINS + n, true);
  }
  for (let n = 0; n < stored; n++) {
    bytes.fill(n + 1, (COWD_GRAINS + n) * SECTOR, (COWD_GRAINS + n + 1) * SECTOR);
  }
  return bytes;
}

/** Where a space-efficient extent has its directory, tables and grains, in sectors. */
export const SE_DIRECTORY = 16;
export const SE_TABLES = 24;
const SE_GRAINS = 104;

export interface SeSparseParts {
  readonly header?: Parameters<typeof HEADER.write>[2];
  readonly volatile?: Parameters<typeof VOLATILE_HEADER.write>[2];
  /** Numbers of stored grains (n has bytes of n + 1), or entries as they are. */
  readonly map: readonly (number | bigint)[];
  readonly sectors: number;
  readonly directoryEntry?: bigint;
}

/** An extent with one table, which has room for four grains. */
export function buildSeSparse(
  { header = {}, volatile = {}, map, sectors, directoryEntry }: SeSparseParts,
): Bytes {
  const bytes = new Uint8Array(SE_GRAINS * SECTOR + 4 * GRAIN_BYTES);
  const view = new DataView(bytes.buffer);
  HEADER.write(view, 0, {
    ...CONSTANTS,
    capacity: BigInt(sectors),
    volatile_offset: 1n,
    volatile_size: 1n,
    journal_header_offset: 2n,
    journal_header_size: 1n,
    journal_offset: 3n,
    journal_size: 8n,
    directory_offset: BigInt(SE_DIRECTORY),
    directory_size: 1n,
    tables_offset: BigInt(SE_TABLES),
    tables_size: 64n,
    bitmap_offset: 88n,
    bitmap_size: 8n,
    backmap_offset: 96n,
    backmap_size: 8n,
    grains_offset: BigInt(SE_GRAINS),
    grains_size: 32n,
    ...header,
  });
  VOLATILE_HEADER.write(view, SECTOR, { magic: VOLATILE_MAGIC, ...volatile });
  const entry = directoryEntry ?? BigInt(TABLE_HIGH) << 32n;
  view.setBigUint64(SE_DIRECTORY * SECTOR, entry, true);
  for (const [grain, what] of map.entries()) {
    const value = typeof what === "bigint" ? what : storedEntry(what);
    view.setBigUint64(SE_TABLES * SECTOR + 8 * grain, value, true);
  }
  for (let n = 0; n < 4; n++) {
    const start = SE_GRAINS * SECTOR + n * GRAIN_BYTES;
    bytes.fill(n + 1, start, start + GRAIN_BYTES);
  }
  return bytes;
}

/** The lowest 12 bits of a grain's number are above the others. */
function storedEntry(n: number): bigint {
  return 3n << 60n | BigInt(n & 0xfff) << 48n | BigInt(n) >> 12n;
}
