/**
 * Header extensions: what lies between the header and the end of the first cluster.
 *
 * @module
 */
import { textOf } from "../../sys/memory.ts";
import { damaged } from "./errors.ts";
import {
  EXTENSION,
  EXTENSION_ALIGNMENT_BYTES,
  ExtensionType,
  FEATURE_NAME,
  FEATURE_NAME_TEXT_BYTES,
  FEATURE_TYPE_INCOMPATIBLE,
} from "./layout.ts";

/** Where the extensions lie. */
export interface ExtensionArea {
  /** The first cluster of the image. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** First byte after the header. */
  readonly start: number;
  /** The backing file name's offset, or the end of the cluster. */
  readonly end: number;
  readonly path: string;
}

/** One header extension, of a type that is known here or not. */
export interface Extension {
  readonly type: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

/**
 * All extensions up to the one that marks the end, or up to the end of the area.
 *
 * @throws {ImageFormatError} if one reaches beyond the area
 */
export function* extensions(area: ExtensionArea): Generator<Extension> {
  const view = new DataView(area.bytes.buffer, area.bytes.byteOffset, area.bytes.length);
  let at = area.start;
  while (at < area.end) {
    const room = area.end - at - EXTENSION.sizeBytes;
    if (room < 0) throw damaged(area.path, "a header extension is cut off", at);
    const { type, length } = EXTENSION.read(view, at);
    if (type === ExtensionType.end) return;
    if (length > room) throw damaged(area.path, "a header extension is too long", at);
    const start = at + EXTENSION.sizeBytes;
    yield { type, data: area.bytes.slice(start, start + length) };
    at = start + Math.ceil(length / EXTENSION_ALIGNMENT_BYTES) * EXTENSION_ALIGNMENT_BYTES;
  }
}

/** Names the image gives to incompatible feature bits, by bit number. */
export function incompatibleFeatureNames(area: ExtensionArea): Map<number, string> {
  const names = new Map<number, string>();
  for (const { type, data } of extensions(area)) {
    if (type === ExtensionType.featureNameTable) addFeatureNames(data, names);
  }
  return names;
}

function addFeatureNames(table: Uint8Array<ArrayBuffer>, names: Map<number, string>): void {
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  const entryBytes = FEATURE_NAME.sizeBytes + FEATURE_NAME_TEXT_BYTES;
  for (let at = 0; at + entryBytes <= table.length; at += entryBytes) {
    const { type, bit } = FEATURE_NAME.read(view, at);
    if (type !== FEATURE_TYPE_INCOMPATIBLE) continue;
    names.set(bit, textOf(table.subarray(at + FEATURE_NAME.sizeBytes, at + entryBytes)));
  }
}
