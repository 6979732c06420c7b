/**
 * Small valid images, and what of them is worth changing.
 *
 * @module
 */
import { DYNAMIC_HEADER, FOOTER, FOOTER_BYTES } from "../../../src/format/vhd/layout.ts";
import type { Original } from "../mutations.ts";
import { buildVhd, HEADER, TABLE } from "./image_builder.ts";

export function vhdOriginal(): Original {
  const bytes = buildVhd({ map: [2, 0, undefined, 1, 3] });
  const footer = { types: FOOTER.types, offsets: FOOTER.offsets };
  return {
    bytes,
    structures: [
      { start: 0, ...footer },
      { start: bytes.length - FOOTER_BYTES, ...footer },
      { start: HEADER, types: DYNAMIC_HEADER.types, offsets: DYNAMIC_HEADER.offsets },
    ],
    entries: Array.from({ length: 7 }, (_, index) => TABLE + 4 * index),
    headBytes: TABLE,
  };
}
