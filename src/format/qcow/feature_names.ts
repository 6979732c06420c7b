/**
 * The feature name table of new images, as qemu writes it (block/qcow2.c: `qcow2_update_header`): by it,
 * programs that do not know a feature can say which it is.
 *
 * @module
 */
import {
  FEATURE_NAME,
  FEATURE_NAME_TEXT_BYTES,
  FEATURE_TYPE_AUTOCLEAR,
  FEATURE_TYPE_COMPATIBLE,
  FEATURE_TYPE_INCOMPATIBLE,
} from "./layout.ts";

const NAMES: readonly (readonly [type: number, bit: number, name: string])[] = [
  [FEATURE_TYPE_INCOMPATIBLE, 0, "dirty bit"],
  [FEATURE_TYPE_INCOMPATIBLE, 1, "corrupt bit"],
  [FEATURE_TYPE_INCOMPATIBLE, 2, "external data file"],
  [FEATURE_TYPE_INCOMPATIBLE, 3, "compression type"],
  [FEATURE_TYPE_INCOMPATIBLE, 4, "extended L2 entries"],
  [FEATURE_TYPE_COMPATIBLE, 0, "lazy refcounts"],
  [FEATURE_TYPE_AUTOCLEAR, 0, "bitmaps"],
  [FEATURE_TYPE_AUTOCLEAR, 1, "raw external data"],
];

/** The data of the extension. */
export function featureNames(): Uint8Array {
  const entryBytes = FEATURE_NAME.sizeBytes + FEATURE_NAME_TEXT_BYTES;
  const table = new Uint8Array(NAMES.length * entryBytes);
  const view = new DataView(table.buffer);
  NAMES.forEach(([type, bit, name], index) => {
    FEATURE_NAME.write(view, index * entryBytes, { type, bit });
    new TextEncoder().encodeInto(name, table.subarray(index * entryBytes + FEATURE_NAME.sizeBytes));
  });
  return table;
}
