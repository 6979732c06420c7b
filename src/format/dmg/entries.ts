/**
 * The entries of tables: checked, and made chunks of.
 *
 * @module
 */
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { DMG } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { type Chunk, Chunks, RAW_CHUNK } from "./chunks.ts";
import { damaged } from "./errors.ts";
import { ChunkType, ENTRY, MAX_CHUNK_BYTES, METHODS, SECTOR_BYTES, TABLE } from "./layout.ts";
import type { Table } from "./tables.ts";

/** What all entries say. */
export interface Content {
  /** What is stored, in its order. */
  readonly chunks: Chunks;
  /** Where the last entry ends in the disk, in bytes. */
  readonly endBytes: number;
}

/** How many entries there are. */
export function entryCount(tables: readonly Table[]): number {
  return tables.reduce((sum, { entries }) => sum + entries, 0);
}

/**
 * The entries of all tables.
 *
 * @throws {ImageFormatError} if one cannot be true, or two tell of the same sectors
 * @throws {UnsupportedFeatureError} if there are chunks of a type that is not known
 */
export function readEntries(file: ImageFile, tables: readonly Table[]): Content {
  const chunks = new Chunks(entryCount(tables));
  let endBytes = 0;
  for (const table of tables) {
    for (let index = 0; index < table.entries; index++) {
      const end = addEntry(table, index, { chunks, file });
      endBytes = Math.max(endBytes, end);
    }
  }
  try {
    chunks.sort();
  } catch (error) {
    if (error instanceof RangeError) throw damaged(file.path, error.message);
    throw error;
  }
  return { chunks, endBytes };
}

interface Target {
  readonly chunks: Chunks;
  readonly file: ImageFile;
}

/** Adds what an entry tells of, if that is stored; returns where it ends. */
function addEntry(table: Table, index: number, { chunks, file }: Target): number {
  const { view } = table;
  const at = TABLE.sizeBytes + index * ENTRY.sizeBytes;
  const type = view.getUint32(at + ENTRY.offsets.type);
  const sectors = wordsAt(view, at + ENTRY.offsets.sectors);
  if (type === ChunkType.comment || type === ChunkType.end || sectors === 0) return 0;
  const start = (table.firstSector + wordsAt(view, at + ENTRY.offsets.sector)) * SECTOR_BYTES;
  const end = start + sectors * SECTOR_BYTES;
  if (!Number.isSafeInteger(end)) throw damaged(file.path, "an entry lies outside of every disk");
  if (type === ChunkType.zero || type === ChunkType.free) return end;
  const hostOffset = table.hostOffset + wordsAt(view, at + ENTRY.offsets.offset);
  const hostBytes = wordsAt(view, at + ENTRY.offsets.length);
  const method = methodOf(type, file);
  const chunk = { start, end, hostOffset, hostBytes, method };
  checkPlace(chunk, file);
  chunks.add(chunk);
  return end;
}

/** What of the disk belongs to the checksum of a table, in the order of its entries: all but free space. */
export function* summedRanges(
  table: Table,
): Generator<{ readonly guestOffset: number; readonly lengthBytes: number }> {
  const { view, firstSector } = table;
  for (let index = 0; index < table.entries; index++) {
    const at = TABLE.sizeBytes + index * ENTRY.sizeBytes;
    const type = view.getUint32(at + ENTRY.offsets.type);
    if (NOT_SUMMED.includes(type)) continue;
    yield {
      guestOffset: (firstSector + wordsAt(view, at + ENTRY.offsets.sector)) * SECTOR_BYTES,
      lengthBytes: wordsAt(view, at + ENTRY.offsets.sectors) * SECTOR_BYTES,
    };
  }
}

const NOT_SUMMED: readonly number[] = [ChunkType.free, ChunkType.comment, ChunkType.end];

function methodOf(type: number, { path }: ImageFile): Chunk["method"] {
  if (type === ChunkType.raw) return RAW_CHUNK;
  const method = METHODS.get(type);
  if (method !== undefined) return method;
  throw new UnsupportedFeatureError(DMG.name, path, `chunks of type 0x${type.toString(16)}`);
}

function checkPlace(chunk: Chunk, { path, sizeBytes }: ImageFile): void {
  const { start, end, hostOffset, hostBytes, method } = chunk;
  if (hostOffset + hostBytes > sizeBytes) {
    const place = `0x${hostOffset.toString(16)}`;
    throw damaged(path, `the chunk at ${place} lies outside the file`, hostOffset);
  }
  if (method === RAW_CHUNK) return;
  if (end - start > MAX_CHUNK_BYTES || hostBytes > MAX_CHUNK_BYTES) {
    throw damaged(path, `the chunk for ${end - start} bytes is too long`, hostOffset);
  }
  if (hostBytes === 0) throw damaged(path, "a chunk has no bytes", hostOffset);
}

/** Eight bytes: not exact from 2^53 on, where it lies outside of everything. */
function wordsAt(view: DataView, position: number): number {
  return view.getUint32(position) * 2 ** 32 + view.getUint32(position + 4);
}
