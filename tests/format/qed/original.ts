/**
 * A small valid image with every kind of cluster, and what of it is worth changing.
 *
 * @module
 */
import { HEADER } from "../../../src/format/qed/layout.ts";
import type { Original } from "../mutations.ts";
import { buildQed, L1, L2, place } from "./image_builder.ts";

export function qedOriginal(): Original {
  const l2 = [place(2), place(0), place(1), 0n, 1n, place(3), 0n, 1n];
  const header = { start: 0, types: HEADER.types, offsets: HEADER.offsets };
  return {
    bytes: buildQed({ l2 }),
    structures: [header],
    entries: [L1, L1, ...l2.map((_, index) => L2 + 8 * index)],
    littleEndian: true,
    headBytes: HEADER.sizeBytes,
  };
}
