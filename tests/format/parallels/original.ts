/**
 * Small valid images with every kind of cluster, and what of them is worth changing.
 *
 * @module
 */
import {
  EXTENSION,
  FEATURE,
  FEATURE_DIRTY_BITMAP,
  HEADER,
} from "../../../src/format/parallels/layout.ts";
import type { Original } from "../mutations.ts";
import { buildParallels } from "./image_builder.ts";

const BAT = [2, 0, 1, undefined, undefined, 3, undefined];

export function parallelsOriginal(): Original[] {
  const header = { start: 0, types: HEADER.types, offsets: HEADER.offsets };
  const extended = buildParallels({
    bat: BAT,
    features: [{ magic: FEATURE_DIRTY_BITMAP, flags: 0n, data_size: 0 }],
  });
  const extensionAt = extended.length - 8 * 512;
  const extension = { start: extensionAt, types: EXTENSION.types, offsets: EXTENSION.offsets };
  const feature = {
    start: extensionAt + EXTENSION.sizeBytes,
    types: FEATURE.types,
    offsets: FEATURE.offsets,
  };
  const more = {
    entries: BAT.map((_, index) => HEADER.sizeBytes + 4 * index),
    littleEndian: true,
    headBytes: HEADER.sizeBytes,
  };
  return [
    { bytes: buildParallels({ bat: BAT }), structures: [header], ...more },
    { bytes: buildParallels({ bat: BAT, isOld: true, tracks: 63 }), structures: [header], ...more },
    { bytes: extended, structures: [header, header, extension, feature], ...more },
  ];
}
