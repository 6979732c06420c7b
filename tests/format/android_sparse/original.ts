/**
 * A small valid image with every kind of chunk, and what of it is worth changing.
 *
 * @module
 */
import { CHUNK_HEADER, HEADER } from "../../../src/format/android_sparse/layout.ts";
import type { Original } from "../mutations.ts";
import { buildSparse, CHUNKS } from "./image_builder.ts";

export function androidSparseOriginal(): Original {
  const { types, offsets, sizeBytes } = CHUNK_HEADER;
  const starts: number[] = [];
  let at = HEADER.sizeBytes;
  for (const { stored } of CHUNKS) {
    starts.push(at);
    at += sizeBytes + (stored?.length ?? 0);
  }
  return {
    bytes: buildSparse(),
    structures: [
      { start: 0, types: HEADER.types, offsets: HEADER.offsets },
      ...starts.map((start) => ({ start, types, offsets })),
    ],
    entries: starts.map((start) => start + offsets.chunk_sz),
    littleEndian: true,
    headBytes: HEADER.sizeBytes + sizeBytes,
  };
}
