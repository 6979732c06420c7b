/**
 * A small valid redolog with every kind of extent, and what of it is worth changing.
 *
 * @module
 */
import { HEADER } from "../../../src/format/bochs/layout.ts";
import type { Original } from "../mutations.ts";
import { buildBochs, CATALOG, EXTENTS, STORED } from "./image_builder.ts";

export function bochsOriginal(): Original {
  return {
    bytes: buildBochs({ map: [2, 0, undefined, 1, 3], bits: [0xffff, 0x00f1, 0x8000, 0] }),
    structures: [{ start: 0, types: HEADER.types, offsets: HEADER.offsets }],
    entries: [...Array.from({ length: EXTENTS - 1 }, (_, n) => CATALOG + 4 * n), STORED],
    littleEndian: true,
    headBytes: STORED,
  };
}
