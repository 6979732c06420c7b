/**
 * The header: parsed, and every value checked that reading the disk relies on.
 *
 * @module
 */
import { ImageFormatError, UnsupportedFeatureError } from "../../image/errors.ts";
import { servedSize } from "../../image/exact.ts";
import { VDI } from "../../image/formats.ts";
import type { Identity } from "../../image/identity.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { guidText } from "../kit/guid.ts";
import {
  ENTRY_BYTES,
  HEADER,
  ImageType,
  MAGIC,
  MAJOR_VERSION,
  MAX_BLOCK_BYTES,
  MIN_BLOCK_BYTES,
  MIN_HEADER_SIZE,
  SECTOR_BYTES,
} from "./layout.ts";

/** What the driver needs of a valid header. */
export interface Header {
  readonly sizeBytes: number;
  readonly blockBytes: number;
  /** Bytes in front of those of each stored block. */
  readonly extraBytes: number;
  readonly blocks: number;
  /** How many of them are stored. */
  readonly allocated: number;
  readonly mapOffset: number;
  readonly dataOffset: number;
  /** Whether all blocks were given places when the image was made. */
  readonly isFixed: boolean;
  /** What the image below is known by; undefined if there is none. */
  readonly parent: Identity | undefined;
}

type Fields = ReturnType<typeof HEADER.read>;

/**
 * Reads and checks the header of an image.
 *
 * @throws {ImageFormatError} if it is not a valid header
 * @throws {UnsupportedFeatureError} if it is one of another version, or of an undo image
 * @throws {SystemError} if the file cannot be read
 */
export function readHeader(file: ImageFile): Header {
  const fields = readFields(file);
  checkMap(fields, file);
  return {
    sizeBytes: servedSize(diskSize(fields), VDI.name, file.path),
    blockBytes: fields.block_size,
    extraBytes: fields.block_extra,
    blocks: fields.blocks,
    allocated: fields.blocks_allocated,
    mapOffset: fields.offset_blocks,
    dataOffset: fields.offset_data,
    isFixed: fields.type === ImageType.fixed,
    parent: parentIdentity(fields),
  };
}

/** Size of the disk: whole sectors, as qemu counts it. */
export function diskSize({ disk_size: size }: Fields): bigint {
  const sector = BigInt(SECTOR_BYTES);
  return (size + sector - 1n) / sector * sector;
}

/** What images above know it by; undefined if nothing can lie above it. */
export function ownIdentity({ uuid, uuid_modified }: Fields): Identity | undefined {
  return identity(uuid, uuid_modified);
}

/** What the image below is known by; undefined if there is none. */
export function parentIdentity(
  { uuid_parent, uuid_parent_modified }: Fields,
): Identity | undefined {
  return identity(uuid_parent, uuid_parent_modified);
}

function identity(uuid: Uint8Array, modified: Uint8Array): Identity | undefined {
  const id = guidText(uuid);
  const state = guidText(modified);
  if (id === undefined) return undefined;
  return state === undefined ? { id } : { id, state };
}

/** The header's fields, each of which is checked by itself; throws as {@link readHeader}. */
export function readFields(file: ImageFile): Fields {
  if (file.sizeBytes < HEADER.sizeBytes) {
    throw damaged(file.path, "the file is too short for a header");
  }
  const head = new IoBuffer(HEADER.sizeBytes);
  file.read(head, 0, 0, head.size);
  const fields = HEADER.read(head.view, 0);
  if (fields.magic !== MAGIC) throw damaged(file.path, "this is no VDI image");
  checkVersion(fields, file.path);
  checkType(fields, file.path);
  checkBlocks(fields, file.path);
  return fields;
}

function checkVersion({ version, header_size }: Fields, path: string): void {
  const major = version >>> 16;
  if (major !== MAJOR_VERSION) {
    throw new UnsupportedFeatureError(VDI.name, path, `version ${major}.${version & 0xffff}`);
  }
  if (header_size < MIN_HEADER_SIZE) {
    throw damaged(path, `a header of ${header_size} bytes is too short`, "header_size");
  }
}

function checkType(fields: Fields, path: string): void {
  const { type } = fields;
  if (type === ImageType.undo) throw new UnsupportedFeatureError(VDI.name, path, "the type undo");
  if (type < ImageType.dynamic || type > ImageType.differencing) {
    throw damaged(path, `the image type ${type} is not possible`, "type");
  }
  if (type === ImageType.differencing && parentIdentity(fields) === undefined) {
    throw damaged(path, "the differencing image does not say what it lies on", "uuid_parent");
  }
}

function checkBlocks(fields: Fields, path: string): void {
  const { block_size: bytes, sector_size, offset_blocks, offset_data } = fields;
  const isPowerOfTwo = (bytes & (bytes - 1)) === 0;
  if (bytes < MIN_BLOCK_BYTES || bytes > MAX_BLOCK_BYTES || !isPowerOfTwo) {
    throw damaged(path, `blocks of ${bytes} bytes are not possible`, "block_size");
  }
  if (sector_size !== SECTOR_BYTES && sector_size !== 0) {
    throw damaged(path, `sectors of ${sector_size} bytes are not possible`, "sector_size");
  }
  if (offset_blocks < HEADER.sizeBytes || offset_blocks % SECTOR_BYTES !== 0) {
    throw damaged(path, "the map cannot be where it is said to be", "offset_blocks");
  }
  if (offset_data % SECTOR_BYTES !== 0) {
    throw damaged(path, "the blocks cannot be where they are said to be", "offset_data");
  }
}

/** What has to fit: the disk to the map, that to the file, and the blocks behind it. */
function checkMap(fields: Fields, file: ImageFile): void {
  const { blocks, block_size, offset_blocks, offset_data } = fields;
  if (BigInt(blocks) * BigInt(block_size) < fields.disk_size) {
    throw damaged(file.path, "the map is too short for the disk", "blocks");
  }
  const mapEnd = offset_blocks + blocks * ENTRY_BYTES;
  if (mapEnd > file.sizeBytes) {
    throw damaged(file.path, "the map lies outside the file", "offset_blocks");
  }
  if (offset_data < mapEnd) {
    throw damaged(file.path, "the blocks begin within the map", "offset_data");
  }
}

function damaged(
  path: string,
  message: string,
  field?: keyof typeof HEADER.offsets,
): ImageFormatError {
  const hostOffset = field === undefined ? undefined : HEADER.offsets[field];
  return new ImageFormatError(VDI.name, path, message, hostOffset);
}
