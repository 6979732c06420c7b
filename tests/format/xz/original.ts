/**
 * A small file of two streams, and what of it is worth changing.
 *
 * @module
 */
import { FOOTER } from "../../../src/format/xz/layout.ts";
import { seededBytes } from "../../nbd/served_image.ts";
import type { Original } from "../mutations.ts";
import { buildXz } from "./file_builder.ts";

export function xzOriginal(): Original {
  const bytes = buildXz([
    [seededBytes(4096, 1), seededBytes(4096, 2)],
    [seededBytes(20_000, 3), seededBytes(777, 4)],
  ]);
  const start = bytes.length - FOOTER.sizeBytes;
  return {
    bytes,
    structures: [{ start, types: FOOTER.types, offsets: FOOTER.offsets }],
    entries: [start - 8, start - 16, start - 24],
    littleEndian: true,
    headBytes: 40,
  };
}
