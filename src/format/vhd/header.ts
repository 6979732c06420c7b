/**
 * Footer and dynamic header: parsed, and every value checked that reading the disk relies on.
 *
 * @module
 */
import { servedSize } from "../../image/exact.ts";
import { VHD } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { startsWith } from "../kit/starts_with.ts";
import { damaged } from "./errors.ts";
import {
  checksum,
  diskSize,
  type Footer,
  FORCE_HINT,
  readFooter,
  type Strictness,
} from "./footer.ts";
import {
  BITMAP_SECTOR_BITS,
  DiskType,
  DYNAMIC_COOKIE,
  DYNAMIC_HEADER,
  ENTRY_BYTES,
  FOOTER_BYTES,
  MAX_BLOCK_BYTES,
  MIN_BLOCK_BYTES,
  SECTOR_BYTES,
} from "./layout.ts";

export type DynamicFields = ReturnType<typeof DYNAMIC_HEADER.read>;

/** What both kinds of images say of themselves. */
export interface Header {
  readonly footer: Footer;
  readonly sizeBytes: number;
  /** Undefined for a fixed image: the disk begins with the file. */
  readonly blocks: BlockHeader | undefined;
}

/** Of an image whose disk lies in blocks. */
export interface BlockHeader {
  readonly fields: DynamicFields;
  /** Whether the checksum of the dynamic header is wrong. */
  readonly isDamaged: boolean;
  readonly blockBytes: number;
  /** Of the bitmap in front of each block. */
  readonly bitmapBytes: number;
  /** Bytes of the disk that one sector of a bitmap is about, or a block, where that is less. */
  readonly pieceBytes: number;
  readonly tableOffset: number;
  readonly entries: number;
  readonly isDifferencing: boolean;
}

/**
 * Reads and checks the metadata of an image.
 *
 * @throws {ImageFormatError | UnsupportedFeatureError | SystemError} as {@link readFooter}
 */
export function readHeader(file: ImageFile, how: Strictness): Header {
  const footer = readFooter(file, how);
  const exactSize = diskSize(footer.fields);
  const sizeBytes = servedSize(exactSize, VHD.name, file.path);
  if (footer.fields.type === DiskType.fixed) {
    if (sizeBytes > file.sizeBytes - FOOTER_BYTES) {
      throw damaged(file.path, "the disk is larger than the file");
    }
    return { footer, sizeBytes, blocks: undefined };
  }
  const blocks = readBlockHeader(file, footer, how);
  if (blocks.entries * blocks.blockBytes < sizeBytes) {
    throw damaged(file.path, "the allocation table is too short for the disk");
  }
  return { footer, sizeBytes, blocks };
}

function readBlockHeader(
  file: ImageFile,
  { fields: { data_offset, type } }: Footer,
  how: Strictness,
): BlockHeader {
  const { fields, isDamaged } = readDynamicFields(file, data_offset, how);
  const { block_size: blockBytes, max_table_entries: entries, table_offset } = fields;
  const isPowerOfTwo = (blockBytes & (blockBytes - 1)) === 0;
  if (blockBytes < MIN_BLOCK_BYTES || blockBytes > MAX_BLOCK_BYTES || !isPowerOfTwo) {
    throw damaged(file.path, `blocks of ${blockBytes} bytes are not possible`);
  }
  const tableEnd = table_offset + BigInt(entries * ENTRY_BYTES);
  if (tableEnd > BigInt(file.sizeBytes) || table_offset % BigInt(SECTOR_BYTES) !== 0n) {
    throw damaged(file.path, "the allocation table cannot be where it is said to be");
  }
  return {
    fields,
    isDamaged,
    blockBytes,
    bitmapBytes: wholeSectors(blockBytes / SECTOR_BYTES / 8),
    pieceBytes: Math.min(blockBytes, BITMAP_SECTOR_BITS * SECTOR_BYTES),
    tableOffset: Number(table_offset),
    entries,
    isDifferencing: type === DiskType.differencing,
  };
}

function wholeSectors(bytes: number): number {
  return Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES;
}

/** @throws {ImageFormatError} if there is no valid dynamic header at `offset` */
function readDynamicFields(
  file: ImageFile,
  offset: bigint,
  { force }: Strictness,
): Pick<BlockHeader, "fields" | "isDamaged"> {
  const { sizeBytes } = DYNAMIC_HEADER;
  if (offset + BigInt(sizeBytes) > BigInt(file.sizeBytes)) {
    throw damaged(file.path, "the dynamic header lies outside the file");
  }
  const hostOffset = Number(offset);
  const buffer = new IoBuffer(sizeBytes);
  file.read(buffer, 0, hostOffset, sizeBytes);
  const fields = DYNAMIC_HEADER.read(buffer.view, 0);
  const isDamaged = fields.checksum !== checksum(buffer.bytes, DYNAMIC_HEADER.offsets.checksum);
  if (!startsWith(fields.cookie, DYNAMIC_COOKIE)) {
    throw damaged(file.path, "there is no dynamic header", hostOffset);
  }
  if (isDamaged && !force) {
    const message = `the checksum of the dynamic header is wrong${FORCE_HINT}`;
    throw damaged(file.path, message, hostOffset);
  }
  return { fields, isDamaged };
}
