/**
 * Small VHDX images, made byte by byte. Blocks have 1 MiB, the smallest size there is.
 *
 *     1 MiB      2 MiB   3 MiB   4 MiB                5 MiB
 *     +----------+-------+-------+--------------------+---------+---------+-- ...
 *     | metadata | BAT   | log   | bits of chunk 0    | block 0 | block 1 |
 *     +----------+-------+-------+--------------------+---------+---------+-- ...
 *
 * @module
 */
import { crc32c } from "../../../src/format/kit/crc32c.ts";
import {
  FILE_PARAMETERS,
  HAS_PARENT,
  HEADER,
  HEADER_BYTES,
  HEADER_OFFSETS,
  HEADER_SIGNATURE,
  Item,
  ITEM_REQUIRED,
  MARK,
  METADATA_ENTRY,
  METADATA_MARK,
  METADATA_TABLE,
  Region,
  REGION_ENTRY,
  REGION_SIGNATURE,
  REGION_TABLE,
  REGION_TABLE_BYTES,
  REGION_TABLE_OFFSETS,
} from "../../../src/format/vhdx/layout.ts";
import { locator } from "./locator.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export const MIB = 1024 * 1024;
export const BLOCK = MIB;
export const METADATA = MIB;
export const BAT = 2 * MIB;
export const LOG = 3 * MIB;
export const BITS = 4 * MIB;
export const BLOCKS = 5 * MIB;
const ITEMS = 65536;
/** What says something of the disk, not of the file: a flag that VirtualBox insists on. */
const ITEM_OF_DISK = 2;
const OF_DISK: readonly string[] = [
  Item.diskSize,
  Item.diskId,
  Item.logicalSector,
  Item.physicalSector,
];

/** A region or a metadata item that no program knows. */
export interface Extra {
  readonly guid: string;
  readonly isRequired: boolean;
}

/** An entry of the BAT. */
export type BatEntry = readonly [state: number, mebibytes?: number];

export interface VhdxParts {
  /** Fields of both headers. */
  readonly header?: Parameters<typeof HEADER.write>[2];
  /** Sequence numbers of the two; 0 damages one. */
  readonly sequences?: readonly [number, number];
  readonly sizeBytes?: number;
  readonly blockBytes?: number;
  readonly sectorBytes?: number;
  /** Bit 0: fixed. Bit 1: it has a parent. */
  readonly flags?: number;
  /** Keys and values of the parent locator. */
  readonly parent?: Readonly<Record<string, string>>;
  /** Entries of the BAT, by their index there. */
  readonly bat?: readonly BatEntry[];
  /** How many blocks are stored; block n has bytes of n + 1. */
  readonly stored?: number;
  /** What the bits of chunk 0 begin with. */
  readonly bits?: readonly number[];
  readonly region?: Extra;
  readonly item?: Extra;
}

/** An entry for stored block n. */
export function at(n: number, state = 6): BatEntry {
  return [state, BLOCKS / MIB + n];
}

/** An image of eight blocks. */
export function buildVhdx(parts: VhdxParts = {}): Bytes {
  const { stored = 4, bits = [], bat = [], sequences = [1, 2] } = parts;
  const bytes = new Uint8Array(BLOCKS + stored * BLOCK);
  bytes.set(MARK);
  for (const [index, hostOffset] of HEADER_OFFSETS.entries()) {
    putHeader(bytes, hostOffset, {
      sequence_number: BigInt(sequences[index] ?? 0),
      ...parts.header,
    });
    if (sequences[index] === 0) bytes.fill(0, hostOffset, hostOffset + HEADER_BYTES);
  }
  for (const hostOffset of REGION_TABLE_OFFSETS) putRegions(bytes, hostOffset, parts.region);
  putMetadata(bytes, parts);
  for (const [index, entry] of bat.entries()) putEntry(bytes, index, entry);
  bytes.set(bits, BITS);
  for (let n = 0; n < stored; n++) {
    bytes.fill(n + 1, BLOCKS + n * BLOCK, BLOCKS + (n + 1) * BLOCK);
  }
  return bytes;
}

/** Puts an entry of the BAT. */
export function putEntry(
  bytes: Bytes,
  index: number,
  [state, place = 0]: BatEntry,
): void {
  const entry = BigInt(place) << 20n | BigInt(state);
  new DataView(bytes.buffer).setBigUint64(BAT + 8 * index, entry, true);
}

/** Puts a header with the right checksum. */
export function putHeader(
  bytes: Bytes,
  hostOffset: number,
  values: Parameters<typeof HEADER.write>[2],
): void {
  const view = new DataView(bytes.buffer);
  HEADER.write(view, hostOffset, {
    signature: HEADER_SIGNATURE,
    file_write_guid: guid(1),
    data_write_guid: guid(2),
    version: 1,
    log_length: MIB,
    log_offset: BigInt(LOG),
    ...values,
  });
  const area = bytes.subarray(hostOffset, hostOffset + HEADER_BYTES);
  const { checksum } = HEADER.offsets;
  view.setUint32(hostOffset + checksum, crc32c(area, checksum), true);
}

function putRegions(bytes: Bytes, hostOffset: number, extra: Extra | undefined): void {
  const view = new DataView(bytes.buffer);
  const regions: readonly (readonly [string, number, boolean])[] = [
    [Region.bat, BAT, true],
    [Region.metadata, METADATA, true],
    ...(extra === undefined ? [] : [[extra.guid, 2 ** 40, extra.isRequired] as const]),
  ];
  REGION_TABLE.write(view, hostOffset, {
    signature: REGION_SIGNATURE,
    entry_count: regions.length,
  });
  for (const [index, [name, place, isRequired]] of regions.entries()) {
    REGION_ENTRY.write(view, hostOffset + REGION_TABLE.sizeBytes + index * REGION_ENTRY.sizeBytes, {
      guid: guidBytes(name),
      file_offset: BigInt(place),
      length: MIB,
      required: Number(isRequired),
    });
  }
  putRegionChecksum(bytes, hostOffset);
}

export function putRegionChecksum(bytes: Bytes, hostOffset: number): void {
  const area = bytes.subarray(hostOffset, hostOffset + REGION_TABLE_BYTES);
  const { checksum } = REGION_TABLE.offsets;
  new DataView(bytes.buffer).setUint32(hostOffset + checksum, crc32c(area, checksum), true);
}

function putMetadata(
  bytes: Bytes,
  { sizeBytes = 8 * BLOCK, blockBytes = BLOCK, sectorBytes = 512, flags, parent, item }: VhdxParts,
): void {
  const parameters = new Uint8Array(FILE_PARAMETERS.sizeBytes);
  const hasParent = parent === undefined ? 0 : HAS_PARENT;
  const values = { block_size: blockBytes, flags: flags ?? hasParent };
  FILE_PARAMETERS.write(new DataView(parameters.buffer), 0, values);
  const items: (readonly [string, Bytes, boolean])[] = [
    [Item.fileParameters, parameters, true],
    [Item.diskSize, new Uint8Array(BigUint64Array.of(BigInt(sizeBytes)).buffer), true],
    [Item.diskId, guid(3), true],
    [Item.logicalSector, new Uint8Array(Uint32Array.of(sectorBytes).buffer), true],
    [Item.physicalSector, new Uint8Array(Uint32Array.of(4096).buffer), true],
  ];
  if (parent !== undefined) items.push([Item.parentLocator, locator(parent), true]);
  if (item !== undefined) items.push([item.guid, new Uint8Array(8), item.isRequired]);
  const view = new DataView(bytes.buffer);
  const signature = METADATA_MARK.slice();
  METADATA_TABLE.write(view, METADATA, { signature, entry_count: items.length });
  let offset = ITEMS;
  for (const [index, [id, content, isRequired]] of items.entries()) {
    const place = METADATA + METADATA_TABLE.sizeBytes + index * METADATA_ENTRY.sizeBytes;
    METADATA_ENTRY.write(view, place, {
      item_id: guidBytes(id),
      offset,
      length: content.length,
      flags: (isRequired ? ITEM_REQUIRED : 0) | (OF_DISK.includes(id) ? ITEM_OF_DISK : 0),
    });
    bytes.set(content, METADATA + offset);
    offset += content.length;
  }
}

/** An identifier of 16 bytes which are all the same. */
export function guid(byte: number): Bytes {
  return new Uint8Array(16).fill(byte);
}

/** What is written down of {@link guid}. */
export function guidOf(byte: number): string {
  const two = byte.toString(16).padStart(2, "0");
  return [4, 2, 2, 2, 6].map((count) => two.repeat(count)).join("-");
}

/** The bytes of an identifier as it is written down. */
export function guidBytes(text: string): Bytes {
  const digits = Uint8Array.fromHex(text.replaceAll("-", ""));
  for (const [start, end] of [[0, 4], [4, 6], [6, 8]]) digits.subarray(start, end).reverse();
  return digits;
}
