/**
 * The header: parsed, and every value checked that reading the disk relies on.
 *
 * @module
 */
import { ImageFormatError, UnsupportedFeatureError } from "../../image/errors.ts";
import { ANDROID_SPARSE } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { startsWith } from "../kit/starts_with.ts";
import {
  CHUNK_HEADER,
  HEADER,
  MAGIC_BYTES,
  MAJOR_VERSION,
  MAX_BLOCK_BYTES,
  MAX_CHUNKS,
  MIN_BLOCK_BYTES,
  WORD_BYTES,
} from "./layout.ts";

/** What the driver needs of a valid header. */
export interface Header {
  readonly version: string;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly blocks: number;
  readonly chunks: number;
  /** Of the file's header and of each chunk's, which may be longer than what is known of them. */
  readonly headerBytes: number;
  readonly chunkHeaderBytes: number;
  /** CRC-32 of the disk; 0 if it was not computed. */
  readonly sum: number;
}

/**
 * Reads and checks the header of an image.
 *
 * @throws {ImageFormatError} if it is not a valid header
 * @throws {UnsupportedFeatureError} if it is one of another version
 * @throws {SystemError} if the file cannot be read
 */
export function readHeader(file: ImageFile): Header {
  if (file.sizeBytes < HEADER.sizeBytes) {
    throw damaged(file.path, "the file is too short for a header");
  }
  const head = new IoBuffer(HEADER.sizeBytes);
  file.read(head, 0, 0, head.size);
  const fields = HEADER.read(head.view, 0);
  const { magic, major_version, minor_version } = fields;
  if (!startsWith(MAGIC_BYTES, magic)) {
    throw damaged(file.path, "this is no sparse image of Android's");
  }
  if (major_version !== MAJOR_VERSION) {
    const feature = `version ${major_version}.${minor_version}`;
    throw new UnsupportedFeatureError(ANDROID_SPARSE.name, file.path, feature);
  }
  checkSizes(fields, file);
  return {
    version: `${major_version}.${minor_version}`,
    sizeBytes: fields.total_blks * fields.blk_sz,
    blockBytes: fields.blk_sz,
    blocks: fields.total_blks,
    chunks: fields.total_chunks,
    headerBytes: fields.file_hdr_sz,
    chunkHeaderBytes: fields.chunk_hdr_sz,
    sum: fields.image_checksum,
  };
}

function checkSizes(
  { file_hdr_sz, chunk_hdr_sz, blk_sz, total_chunks }: ReturnType<typeof HEADER.read>,
  { path, sizeBytes }: ImageFile,
): void {
  if (file_hdr_sz < HEADER.sizeBytes || chunk_hdr_sz < CHUNK_HEADER.sizeBytes) {
    throw damaged(path, `headers of ${file_hdr_sz} and ${chunk_hdr_sz} bytes are not possible`);
  }
  if (blk_sz < MIN_BLOCK_BYTES || blk_sz > MAX_BLOCK_BYTES || blk_sz % WORD_BYTES !== 0) {
    throw damaged(path, `blocks of ${blk_sz} bytes are not possible`);
  }
  if (total_chunks > MAX_CHUNKS) throw damaged(path, `${total_chunks} chunks are too many`);
  if (file_hdr_sz + total_chunks * chunk_hdr_sz > sizeBytes) {
    throw damaged(path, `the file was cut off: it has no room for ${total_chunks} chunks`);
  }
}

/** A file that is no valid image, or damaged metadata, at `hostOffset` where that is known. */
export function damaged(path: string, message: string, hostOffset?: number): ImageFormatError {
  return new ImageFormatError(ANDROID_SPARSE.name, path, message, hostOffset);
}
