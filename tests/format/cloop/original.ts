/**
 * A small valid image, and what of it is worth changing.
 *
 * @module
 */
import { HEADER } from "../../../src/format/cloop/layout.ts";
import type { Original } from "../mutations.ts";
import { BLOCKS, buildCloop, TABLE } from "./image_builder.ts";

export function cloopOriginal(): Original {
  const entries = Array.from({ length: BLOCKS + 1 }, (_, n) => TABLE + 8 * n);
  return {
    bytes: buildCloop(),
    structures: [{ start: 0, types: HEADER.types, offsets: HEADER.offsets }],
    entries,
    headBytes: TABLE + 8 * (BLOCKS + 1),
  };
}
