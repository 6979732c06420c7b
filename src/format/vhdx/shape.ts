/**
 * How the tables of an image lie in its file.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { damaged } from "./errors.ts";
import { BAT_ENTRY_BYTES, BITMAP_BLOCK_BYTES, CHUNK_SECTORS, PAGE_BYTES } from "./layout.ts";
import type { Metadata } from "./metadata.ts";
import type { Regions } from "./regions.ts";

/** What is asked for at each request. */
export interface Shape {
  readonly blockBytes: number;
  readonly sectorBytes: number;
  readonly batOffset: number;
  /** After so many entries of blocks comes one for the bits of their chunk. */
  readonly blocksInChunk: number;
  readonly blocks: number;
  /** Entries of the BAT that there have to be. */
  readonly entries: number;
  readonly hasParent: boolean;
}

/** @throws {ImageFormatError} if the BAT is too short for the disk, or does not lie in the file */
export function shapeOf(
  file: ImageFile,
  { bat }: Regions,
  { sizeBytes, blockBytes, sectorBytes, parentLocator }: Metadata,
): Shape {
  const blocksInChunk = CHUNK_SECTORS * sectorBytes / blockBytes;
  const blocks = Math.ceil(sizeBytes / blockBytes);
  const hasParent = parentLocator !== undefined;
  const entries = hasParent
    ? Math.ceil(blocks / blocksInChunk) * (blocksInChunk + 1)
    : blocks + Math.floor(Math.max(0, blocks - 1) / blocksInChunk);
  const batBytes = entries * BAT_ENTRY_BYTES;
  if (batBytes > bat.lengthBytes) {
    throw damaged(file.path, "the BAT is too short for the disk", bat.hostOffset);
  }
  if (bat.hostOffset + batBytes > file.sizeBytes) {
    throw damaged(file.path, "the BAT lies outside the file", bat.hostOffset);
  }
  const { hostOffset: batOffset } = bat;
  return { blockBytes, sectorBytes, batOffset, blocksInChunk, blocks, entries, hasParent };
}

/** How many pages its tables have. */
export function pageCount({ entries, blocks, blocksInChunk, hasParent }: Shape): number {
  const batPages = Math.ceil(entries * BAT_ENTRY_BYTES / PAGE_BYTES);
  const chunks = Math.ceil(blocks / blocksInChunk);
  return batPages + (hasParent ? chunks * BITMAP_BLOCK_BYTES / PAGE_BYTES : 0);
}
