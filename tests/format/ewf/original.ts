/**
 * A small image, and what of it is worth changing.
 *
 * @module
 */
import { FILE_HEADER, SECTION, VOLUME } from "../../../src/format/ewf/layout.ts";
import type { Original } from "../mutations.ts";
import { buildEwf } from "./image_builder.ts";

export function ewfOriginal(): Original {
  const section = FILE_HEADER.sizeBytes;
  const volume = section + SECTION.sizeBytes;
  return {
    bytes: buildEwf(),
    structures: [
      { start: 0, types: FILE_HEADER.types, offsets: FILE_HEADER.offsets },
      { start: section, types: SECTION.types, offsets: SECTION.offsets },
      { start: volume, types: VOLUME.types, offsets: VOLUME.offsets },
    ],
    entries: [volume + 8, volume + 16],
    littleEndian: true,
    headBytes: volume + VOLUME.sizeBytes,
  };
}
