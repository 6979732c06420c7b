/**
 * The header: parsed, and every value checked that reading the disk relies on.
 *
 * @module
 */
import { ImageFormatError } from "../../image/errors.ts";
import { CLOOP } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { startsWith } from "../kit/starts_with.ts";
import {
  HEADER,
  MAGIC_BYTES,
  MAX_BLOCK_BYTES,
  MAX_TABLE_BYTES,
  OFFSET_BYTES,
  SECTOR_BYTES,
} from "./layout.ts";

/** What the driver needs of a valid header. */
export interface Header {
  readonly sizeBytes: number;
  readonly blockBytes: number;
  /** How many offsets there are: one more than blocks. */
  readonly offsets: number;
}

/**
 * Reads and checks the header of an image.
 *
 * @throws {ImageFormatError} if it is not a valid header
 * @throws {SystemError} if the file cannot be read
 */
export function readHeader(file: ImageFile): Header {
  if (file.sizeBytes < HEADER.sizeBytes) throw damaged(file.path, "the file is too short");
  const head = new IoBuffer(HEADER.sizeBytes);
  file.read(head, 0, 0, head.size);
  const { preamble, block_size: blockBytes, num_blocks: blocks } = HEADER.read(head.view, 0);
  if (!startsWith(preamble, MAGIC_BYTES)) throw damaged(file.path, "this is no CLOOP image");
  if (blockBytes === 0 || blockBytes > MAX_BLOCK_BYTES || blockBytes % SECTOR_BYTES !== 0) {
    throw damaged(file.path, `blocks of ${blockBytes} bytes are not possible`);
  }
  const offsets = blocks + 1;
  const tableBytes = offsets * OFFSET_BYTES;
  if (tableBytes > MAX_TABLE_BYTES) throw damaged(file.path, `${blocks} blocks are too many`);
  if (HEADER.sizeBytes + tableBytes > file.sizeBytes) {
    throw damaged(file.path, "the table of blocks is not in the file");
  }
  return { sizeBytes: blocks * blockBytes, blockBytes, offsets };
}

/** A file that is no valid image, or damaged metadata, at `hostOffset` where that is known. */
export function damaged(path: string, message: string, hostOffset?: number): ImageFormatError {
  return new ImageFormatError(CLOOP.name, path, message, hostOffset);
}
