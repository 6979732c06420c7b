/**
 * Small VMDK images, made byte by byte.
 *
 * @module
 */
import {
  ENTRY_NONE,
  HOSTED_HEADER,
  HOSTED_MARK,
  HostedFlag,
  NEWLINES,
} from "../../../src/format/vmdk/layout.ts";

const SECTOR = 512;
/** Bytes of a grain, of the smallest size there is. */
export const GRAIN = 4096;
/** Entries of a grain table: few, so that small images have several. */
export const TABLE_ENTRIES = 16;
/** Where the descriptor, the directories and the tables begin, in sectors, and the grains, in bytes. */
const DESCRIPTOR = 1;
const DESCRIPTOR_SECTORS = 4;
const REDUNDANT = 5;
const DIRECTORY = 6;
export const TABLES = 8;
export const GRAINS = 16384;

export interface ExtentParts {
  readonly header?: Parameters<typeof HOSTED_HEADER.write>[2];
  /** Numbers of stored grains (n has bytes of n + 1), or what else an entry says, as text. */
  readonly map?: readonly (number | "none" | "zero")[];
  /** How many grains are stored. */
  readonly stored?: number;
  /** Embedded; none if left out. */
  readonly descriptor?: string;
}

/** How many tables there are for so many grains, in each directory. */
function tablesFor(grains: number): number {
  return Math.ceil(grains / TABLE_ENTRIES);
}

/** A hosted sparse extent of as many grains as its map has. */
export function buildExtent(
  { header = {}, map = [], stored = 4, descriptor }: ExtentParts,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(GRAINS + stored * GRAIN);
  const view = new DataView(bytes.buffer);
  const tables = tablesFor(map.length);
  HOSTED_HEADER.write(view, 0, {
    magic: HOSTED_MARK.slice(),
    version: 1,
    flags: HostedFlag.newlines | HostedFlag.redundant | HostedFlag.zeroGrains,
    capacity: BigInt(map.length * GRAIN / SECTOR),
    grain_size: BigInt(GRAIN / SECTOR),
    descriptor_offset: descriptor === undefined ? 0n : BigInt(DESCRIPTOR),
    descriptor_size: descriptor === undefined ? 0n : BigInt(DESCRIPTOR_SECTORS),
    table_entries: TABLE_ENTRIES,
    redundant_directory: BigInt(REDUNDANT),
    directory: BigInt(DIRECTORY),
    overhead: BigInt(GRAINS / SECTOR),
    newlines: NEWLINES.slice(),
    ...header,
  });
  if (descriptor !== undefined) bytes.set(new TextEncoder().encode(descriptor), SECTOR);
  for (let table = 0; table < tables; table++) {
    view.setUint32(REDUNDANT * SECTOR + 4 * table, TABLES + tables + table, true);
    view.setUint32(DIRECTORY * SECTOR + 4 * table, TABLES + table, true);
  }
  for (const [grain, what] of map.entries()) {
    const entry = what === "none" ? ENTRY_NONE : what === "zero" ? 1 : sectorOf(what);
    for (const first of [TABLES, TABLES + tables]) {
      view.setUint32(entryOffset(grain, first), entry, true);
    }
  }
  for (let n = 0; n < stored; n++) bytes.fill(n + 1, GRAINS + n * GRAIN, GRAINS + (n + 1) * GRAIN);
  return bytes;
}

function sectorOf(stored: number): number {
  return (GRAINS + stored * GRAIN) / SECTOR;
}

/** Where the entry of a grain is in the file. */
export function entryOffset(grain: number, firstTable = TABLES): number {
  const table = Math.floor(grain / TABLE_ENTRIES);
  return (firstTable + table) * SECTOR + 4 * (grain % TABLE_ENTRIES);
}

/** The text that describes an image: its extents' lines, and fields besides. */
export function descriptor(
  lines: readonly string[],
  fields: Readonly<Record<string, string>> = {},
): string {
  const all = { version: "1", CID: "1234abcd", parentCID: "ffffffff", ...fields };
  const text = Object.entries(all).map(([key, value]) => `${key}=${value}`);
  return ["# Disk DescriptorFile", ...text, "", ...lines, ""].join("\n");
}

/** A monolithic sparse image. */
export function buildVmdk(
  parts: Omit<ExtentParts, "descriptor"> = {},
  fields: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const { map = [] } = parts;
  const line = `RW ${map.length * GRAIN / SECTOR} SPARSE "as it was called once.vmdk"`;
  const text = descriptor([line], { createType: '"monolithicSparse"', ...fields });
  return buildExtent({ ...parts, descriptor: text });
}
