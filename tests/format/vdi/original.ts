/**
 * A small valid image with every kind of block, and what of it is worth changing.
 *
 * @module
 */
import { ENTRY_FREE, ENTRY_ZERO, HEADER } from "../../../src/format/vdi/layout.ts";
import type { Original } from "../mutations.ts";
import { buildVdi, MAP } from "./image_builder.ts";

export function vdiOriginal(): Original {
  const map = [2, 0, 1, ENTRY_FREE, ENTRY_ZERO, 3, ENTRY_FREE, ENTRY_ZERO];
  const header = { start: 0, types: HEADER.types, offsets: HEADER.offsets };
  return {
    bytes: buildVdi({ map }),
    structures: [header],
    entries: Array.from({ length: map.length - 1 }, (_, index) => MAP + 4 * index),
    littleEndian: true,
    headBytes: HEADER.sizeBytes,
  };
}
