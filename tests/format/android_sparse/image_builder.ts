/**
 * Small sparse images of Android's, made byte by byte.
 *
 * @module
 */
import {
  CHUNK_HEADER,
  ChunkType,
  HEADER,
  MAGIC_BYTES,
} from "../../../src/format/android_sparse/layout.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export const BLOCK = 1024;

/** A chunk: what its header says, and what follows it. */
export interface ChunkParts {
  readonly type: number;
  readonly blocks: number;
  readonly stored?: Uint8Array;
  /** Instead of the right one. */
  readonly total?: number;
}

/** A chunk with bytes of `byte`. */
export function rawChunk(blocks: number, byte: number): ChunkParts {
  return { type: ChunkType.raw, blocks, stored: new Uint8Array(blocks * BLOCK).fill(byte) };
}

export function fillChunk(blocks: number, ...pattern: readonly number[]): ChunkParts {
  return { type: ChunkType.fill, blocks, stored: Uint8Array.from(pattern) };
}

export interface SparseParts {
  readonly header?: Parameters<typeof HEADER.write>[2];
  readonly chunks?: readonly ChunkParts[];
}

/** One of each kind. */
export const CHUNKS: readonly ChunkParts[] = [
  rawChunk(2, 0x11),
  { type: ChunkType.dontCare, blocks: 3 },
  fillChunk(2, 1, 2, 3, 4),
  { type: ChunkType.crc32, blocks: 0, stored: new Uint8Array(4) },
  fillChunk(4, 0, 0, 0, 0),
  rawChunk(1, 0x22),
];

/** An image, whose headers are as long as `header` says. */
export function buildSparse({ header = {}, chunks = CHUNKS }: SparseParts = {}): Bytes {
  const values = {
    magic: Uint8Array.from(MAGIC_BYTES.subarray(0, 4)),
    major_version: 1,
    minor_version: 0,
    file_hdr_sz: HEADER.sizeBytes,
    chunk_hdr_sz: CHUNK_HEADER.sizeBytes,
    blk_sz: BLOCK,
    total_blks: chunks.reduce((sum, { blocks }) => sum + blocks, 0),
    total_chunks: chunks.length,
    image_checksum: 0,
    ...header,
  };
  const head = new Uint8Array(Math.max(HEADER.sizeBytes, values.file_hdr_sz));
  HEADER.write(new DataView(head.buffer), 0, values);
  const pieces = chunks.flatMap(({ type, blocks, stored = new Uint8Array(), total }) => {
    const start = new Uint8Array(Math.max(CHUNK_HEADER.sizeBytes, values.chunk_hdr_sz));
    CHUNK_HEADER.write(new DataView(start.buffer), 0, {
      chunk_type: type,
      chunk_sz: blocks,
      total_sz: total ?? start.length + stored.length,
    });
    return [start, stored];
  });
  const bytes = new Uint8Array([head, ...pieces].reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of [head, ...pieces]) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
