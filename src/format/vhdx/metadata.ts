/**
 * The metadata region: what the disk is like.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { guidText } from "../kit/guid.ts";
import { startsWith } from "../kit/starts_with.ts";
import { damaged, unsupported } from "./errors.ts";
import {
  FILE_PARAMETERS,
  HAS_PARENT,
  Item,
  ITEM_REQUIRED,
  LEAVE_BLOCKS_ALLOCATED,
  MAX_BLOCK_BYTES,
  MAX_DISK_BYTES,
  MAX_ENTRIES,
  MAX_ITEM_BYTES,
  METADATA_ENTRY,
  METADATA_MARK,
  METADATA_TABLE,
  METADATA_TABLE_BYTES,
  MIN_BLOCK_BYTES,
  SECTOR_SIZES,
} from "./layout.ts";
import type { Area } from "./regions.ts";

/** What the metadata say. */
export interface Metadata {
  readonly sizeBytes: number;
  readonly blockBytes: number;
  /** Of the disk, as its own programs see it. */
  readonly sectorBytes: number;
  /** Undefined where that is not recorded. */
  readonly physicalSectorBytes: number | undefined;
  readonly diskId: string | undefined;
  /** Whether all blocks were given places when the image was made. */
  readonly isFixed: boolean;
  /** Undefined for an image without a parent. */
  readonly parentLocator: Uint8Array | undefined;
}

/** Items by their identifiers, as they lie in the file. */
type Items = ReadonlyMap<string, Area>;

/**
 * Reads the metadata in `region`.
 *
 * @throws {ImageFormatError} if they are damaged
 * @throws {UnsupportedFeatureError} if there is an item that has to be understood, and is not known
 * @throws {SystemError} if the file cannot be read
 */
export function readMetadata(file: ImageFile, region: Area): Metadata {
  const items = itemsOf(file, region);
  const need = (id: string, lengthBytes: number): DataView => {
    const bytes = contentOf(file, items.get(id));
    if (bytes !== undefined && bytes.length >= lengthBytes) return viewOf(bytes);
    throw damaged(file.path, `there is no metadata item ${id}`, region.hostOffset);
  };
  const { block_size: blockBytes, flags } = FILE_PARAMETERS.read(
    need(Item.fileParameters, FILE_PARAMETERS.sizeBytes),
    0,
  );
  const sectorBytes = need(Item.logicalSector, 4).getUint32(0, true);
  const diskBytes = need(Item.diskSize, 8).getBigUint64(0, true);
  const diskId = contentOf(file, items.get(Item.diskId));
  const physical = contentOf(file, items.get(Item.physicalSector));
  checkShape({ blockBytes, sectorBytes, diskBytes }, file);
  return {
    sizeBytes: Number(diskBytes),
    blockBytes,
    sectorBytes,
    physicalSectorBytes: (physical?.length ?? 0) < 4
      ? undefined
      : viewOf(physical ?? new Uint8Array()).getUint32(0, true),
    diskId: diskId?.length === 16 ? guidText(diskId) : undefined,
    isFixed: (flags & LEAVE_BLOCKS_ALLOCATED) !== 0,
    parentLocator: (flags & HAS_PARENT) === 0 ? undefined : locatorOf(file, items),
  };
}

function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}

function itemsOf(file: ImageFile, region: Area): Items {
  const { hostOffset, lengthBytes } = region;
  if (hostOffset + lengthBytes > file.sizeBytes) {
    throw damaged(file.path, "the metadata lie outside the file", hostOffset);
  }
  const table = new IoBuffer(METADATA_TABLE_BYTES);
  file.read(table, 0, hostOffset, METADATA_TABLE_BYTES);
  const { signature, entry_count } = METADATA_TABLE.read(table.view, 0);
  if (!startsWith(signature, METADATA_MARK) || entry_count > MAX_ENTRIES) {
    throw damaged(file.path, "there is no metadata table", hostOffset);
  }
  const items = new Map<string, Area>();
  for (let index = 0; index < entry_count; index++) {
    const at = METADATA_TABLE.sizeBytes + index * METADATA_ENTRY.sizeBytes;
    addItem(items, METADATA_ENTRY.read(table.view, at), { file, region });
  }
  return items;
}

function addItem(
  items: Map<string, Area>,
  { item_id, offset, length, flags }: ReturnType<typeof METADATA_ENTRY.read>,
  { file: { path }, region }: { readonly file: ImageFile; readonly region: Area },
): void {
  const id = guidText(item_id) ?? "";
  const isKnown = Object.values(Item).some((known) => known === id);
  if (!isKnown && (flags & ITEM_REQUIRED) !== 0) throw unsupported(path, `the metadata item ${id}`);
  if (!isKnown || length === 0) return;
  const hostOffset = region.hostOffset + offset;
  const isSound = offset >= METADATA_TABLE_BYTES && length <= MAX_ITEM_BYTES &&
    offset + length <= region.lengthBytes && !items.has(id);
  if (!isSound) throw damaged(path, `the metadata item ${id} cannot be where it is`, hostOffset);
  items.set(id, { hostOffset, lengthBytes: length });
}

function contentOf(file: ImageFile, area: Area | undefined): Uint8Array | undefined {
  if (area === undefined) return undefined;
  const buffer = new IoBuffer(area.lengthBytes);
  file.read(buffer, 0, area.hostOffset, area.lengthBytes);
  return buffer.bytes;
}

function locatorOf(file: ImageFile, items: Items): Uint8Array {
  const locator = contentOf(file, items.get(Item.parentLocator));
  if (locator !== undefined) return locator;
  throw damaged(file.path, "the differencing image does not say what it lies on");
}

interface Shape extends Pick<Metadata, "blockBytes" | "sectorBytes"> {
  readonly diskBytes: bigint;
}

function checkShape({ blockBytes, sectorBytes, diskBytes }: Shape, { path }: ImageFile): void {
  const isPowerOfTwo = (blockBytes & (blockBytes - 1)) === 0;
  if (blockBytes < MIN_BLOCK_BYTES || blockBytes > MAX_BLOCK_BYTES || !isPowerOfTwo) {
    throw damaged(path, `blocks of ${blockBytes} bytes are not possible`);
  }
  if (!SECTOR_SIZES.includes(sectorBytes)) {
    throw damaged(path, `sectors of ${sectorBytes} bytes are not possible`);
  }
  if (diskBytes > BigInt(MAX_DISK_BYTES) || diskBytes % BigInt(sectorBytes) !== 0n) {
    throw damaged(path, `a disk of ${diskBytes} bytes is not possible`);
  }
}
