/**
 * A small valid image, and what of it is worth changing.
 *
 * @module
 */
import { HOSTED_HEADER } from "../../../src/format/vmdk/layout.ts";
import type { Original } from "../mutations.ts";
import { buildVmdk, entryOffset } from "./image_builder.ts";

export function vmdkOriginal(): Original {
  const map = [2, 0, 1, "none", "zero", 3, "none", "zero", ...Array(20).fill("none")];
  return {
    bytes: buildVmdk({ map }),
    structures: [{ start: 0, types: HOSTED_HEADER.types, offsets: HOSTED_HEADER.offsets }],
    entries: Array.from({ length: map.length - 1 }, (_, index) => entryOffset(index)),
    littleEndian: true,
    headBytes: 4096,
  };
}
