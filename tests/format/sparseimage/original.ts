/**
 * A small valid sparse image of Apple's with two nodes, and what of it is worth changing.
 *
 * @module
 */
import { HEADER, NODE, NODE_BYTES } from "../../../src/format/sparseimage/layout.ts";
import type { Original } from "../mutations.ts";
import { buildSparseimage, nodeOffset } from "./image_builder.ts";

export function sparseimageOriginal(): Original {
  const second = nodeOffset(1);
  return {
    bytes: buildSparseimage({ nodes: [[5, 0, undefined, 1007, 2999], [7, 1]] }),
    structures: [
      { start: 0, types: HEADER.types, offsets: HEADER.offsets },
      { start: second, types: NODE.types, offsets: NODE.offsets },
    ],
    entries: [0, 8, 16].flatMap((at) => [HEADER.sizeBytes + at, second + NODE.sizeBytes + at]),
    headBytes: NODE_BYTES,
  };
}
