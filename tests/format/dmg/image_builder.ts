/**
 * DMG images, made byte by byte, or of a disk: nothing on Linux writes them.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { deflateSync } from "node:zlib";
import { ChunkType, ENTRY, TABLE, TABLE_MAGIC, TRAILER } from "../../../src/format/dmg/layout.ts";
import { TRAILER_MAGIC } from "../../../src/format/dmg/layout.ts";
import { lzfseSample, sampleContent } from "../../support/lzfse_samples.ts";
import { adcOf, packedBy } from "../../support/packers.ts";

export const SECTOR = 512;
/** Of the chunk that there is a sample of, compressed with LZFSE. */
export const SAMPLE_BYTES = 12_288;

/** Types of compressed chunks. */
export const Compressed = {
  adc: 0x80000004,
  zlib: 0x80000005,
  bzip2: 0x80000006,
  lzfse: 0x80000007,
  xz: 0x80000008,
} as const;

/** What a table says of some sectors. */
export interface Entry {
  readonly type: number;
  /** From the start of the disk on. */
  readonly sector: number;
  readonly sectors: number;
  /** What is stored; it is put behind what others have. */
  readonly stored?: Uint8Array;
  /** In place of where that is, and how much. */
  readonly offset?: bigint;
  readonly length?: bigint;
}

export interface DmgParts {
  /** Each with its first sector. */
  readonly tables: readonly { readonly first: number; readonly entries: readonly Entry[] }[];
  readonly sectors: number;
  readonly trailer?: Parameters<typeof TRAILER.write>[2];
  /** Where the tables are. */
  readonly place?: "plist" | "resources";
  /** What is in the file in front of the chunks. */
  readonly dataStart?: number;
  /** What becomes of the property list. */
  readonly edit?: (plist: string) => string;
}

/** An image of these parts. */
export function buildDmg(parts: DmgParts): Uint8Array<ArrayBuffer> {
  const { tables, sectors, place = "plist", dataStart = 0, edit = (text) => text } = parts;
  const data: Uint8Array[] = [new Uint8Array(dataStart)];
  let length = dataStart;
  const built = tables.map(({ first, entries }) => {
    const table = new Uint8Array(TABLE.sizeBytes + entries.length * ENTRY.sizeBytes);
    const view = new DataView(table.buffer);
    const count = entries.reduce((sum, { sectors }) => sum + sectors, 0);
    TABLE.write(view, 0, {
      magic: TABLE_MAGIC,
      version: 1,
      first_sector: BigInt(first),
      sectors: BigInt(count),
      entries: entries.length,
    });
    for (const [index, entry] of entries.entries()) {
      const { type, sector, sectors, stored = new Uint8Array() } = entry;
      ENTRY.write(view, TABLE.sizeBytes + index * ENTRY.sizeBytes, {
        type,
        sector: BigInt(sector - first),
        sectors: BigInt(sectors),
        offset: entry.offset ?? BigInt(length - dataStart),
        length: entry.length ?? BigInt(stored.length),
      });
      data.push(stored);
      length += stored.length;
    }
    return table;
  });
  const described = place === "plist"
    ? new TextEncoder().encode(edit(plistOf(built)))
    : resourcesOf(built);
  const where = { offset: BigInt(length), length: BigInt(described.length) };
  const trailer = new Uint8Array(TRAILER.sizeBytes);
  TRAILER.write(new DataView(trailer.buffer), 0, {
    magic: Uint8Array.from(TRAILER_MAGIC),
    flags: 1,
    data_fork_offset: BigInt(dataStart),
    data_fork_length: BigInt(length - dataStart),
    segment_number: 1,
    segment_count: 1,
    variant: 1,
    sectors: BigInt(sectors),
    ...(place === "plist"
      ? { plist_offset: where.offset, plist_length: where.length }
      : { resource_fork_offset: where.offset, resource_fork_length: where.length }),
    ...parts.trailer,
  });
  return concatenated([...data, described, trailer]);
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** As hdiutil writes it, with lists of other things that look the same. */
function plistOf(tables: readonly Uint8Array<ArrayBuffer>[]): string {
  const item = (table: Uint8Array<ArrayBuffer>, id: number): string => `
      <dict>
        <key>Attributes</key>
        <string>0x0050</string>
        <key>Data</key>
        <data>
        ${table.toBase64().replace(/.{44}/g, "$&\n\t\t\t\t")}
        </data>
        <key>ID</key>
        <string>${id}</string>
        <key>Name</key>
        <string>a &amp; b</string>
      </dict>`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>resource-fork</key>
  <dict>
    <key>blkx</key>
    <array>${tables.map(item).join("")}
    </array>
    <key>nothing</key>
    <array/>
    <key>plst</key>
    <array>${item(new Uint8Array(1032), 0)}
    </array>
  </dict>
</dict>
</plist>
`;
}

const RESOURCE_DATA = 256;

/** Resources of two types, as older programs write them. */
function resourcesOf(tables: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const other = new Uint8Array(20).fill(9);
  const all = [other, ...tables];
  const dataBytes = all.reduce((sum, { length }) => sum + 4 + length, 0);
  const typesAt = 28;
  const mapBytes = typesAt + 2 + 2 * 8 + all.length * 12;
  const bytes = new Uint8Array(RESOURCE_DATA + dataBytes + mapBytes);
  const view = new DataView(bytes.buffer);
  const map = RESOURCE_DATA + dataBytes;
  for (const [index, word] of [RESOURCE_DATA, map, dataBytes, mapBytes].entries()) {
    view.setUint32(4 * index, word);
  }
  view.setUint16(map + 24, typesAt);
  const types = map + typesAt;
  view.setUint16(types, 1);
  view.setUint32(types + 2, 0x706c7374); // "plst"
  view.setUint16(types + 8, 2 + 2 * 8);
  view.setUint32(types + 10, 0x626c6b78); // "blkx"
  view.setUint16(types + 14, tables.length - 1);
  view.setUint16(types + 16, 2 + 2 * 8 + 12);
  let at = 0;
  for (const [index, resource] of all.entries()) {
    view.setUint32(RESOURCE_DATA + at, resource.length);
    bytes.set(resource, RESOURCE_DATA + at + 4);
    view.setUint32(types + 2 + 2 * 8 + 12 * index + 4, 0x50000000 + at);
    at += 4 + resource.length;
  }
  return bytes;
}

/** How the chunks of a disk are stored. */
export type Packer = keyof typeof Compressed | "raw";

/** Packs a chunk. */
async function packed(packer: Packer, bytes: Uint8Array): Promise<Uint8Array> {
  switch (packer) {
    case "raw":
      return bytes;
    case "adc":
      return adcOf(bytes);
    case "zlib":
      return deflateSync(bytes);
    case "bzip2":
    case "xz":
      return await packedBy(packer, bytes);
    case "lzfse":
      return lzfseOf(bytes);
  }
}

/**
 * The chunk that there is a sample of is compressed; others are a block of LZVN, of nothing but literals.
 * (7-Zip does not read blocks of bytes as they are, not even those of Apple's encoder.)
 */
function lzfseOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length === SAMPLE_BYTES && Buffer.compare(bytes, sampleContent(SAMPLE_BYTES)) === 0) {
    return lzfseSample(SAMPLE_BYTES);
  }
  const codes: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 256) {
    const some = bytes.subarray(at, at + 256);
    codes.push(Uint8Array.of(0xe0, some.length - 16), some);
  }
  const block = concatenated([...codes, Uint8Array.of(6, 0, 0, 0, 0, 0, 0, 0)]);
  const header = new Uint8Array(12);
  const view = new DataView(header.buffer);
  header.set(new TextEncoder().encode("bvxn"));
  view.setUint32(4, bytes.length, true);
  view.setUint32(8, block.length, true);
  return concatenated([header, block, new TextEncoder().encode("bvx$")]);
}

/** An image of a disk, in chunks of up to `chunkSectors`, all zeros left out. */
export async function dmgOf(
  disk: Uint8Array,
  packers: readonly Packer[],
  chunkSectors: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const sectors = disk.length / SECTOR;
  const entries: Entry[] = [];
  for (let sector = 0; sector < sectors; sector += chunkSectors) {
    const count = Math.min(chunkSectors, sectors - sector);
    const bytes = disk.subarray(sector * SECTOR, (sector + count) * SECTOR);
    const isZero = bytes.every((byte) => byte === 0);
    const packer = packers[entries.length % packers.length] ?? "raw";
    const type = isZero
      ? entries.length % 2 === 0 ? ChunkType.zero : ChunkType.free
      : packer === "raw"
      ? ChunkType.raw
      : Compressed[packer];
    const stored = isZero ? new Uint8Array() : await packed(packer, bytes);
    entries.push({ type, sector, sectors: count, stored });
  }
  entries.push({ type: ChunkType.end, sector: sectors, sectors: 0 });
  return buildDmg({ tables: [{ first: 0, entries }], sectors });
}
