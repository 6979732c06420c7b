/**
 * Header extensions: what lies between the header and the end of the first cluster.
 *
 * @module
 */
import { textOf } from "../../sys/memory.ts";
import { damaged } from "./errors.ts";
import {
  ENCRYPTION_HEADER,
  EXTENSION,
  EXTENSION_ALIGNMENT_BYTES,
  ExtensionType,
  FEATURE_NAME,
  FEATURE_NAME_TEXT_BYTES,
  FEATURE_TYPE_INCOMPATIBLE,
  MAX_DATA_FILE_NAME_BYTES,
  MAX_FORMAT_NAME_BYTES,
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

/** One header extension, of a type that is known here or not: where its data are in the area. */
interface Extension {
  readonly type: number;
  readonly start: number;
  readonly lengthBytes: number;
}

/** What is known of all header extensions of an image: little, however many there are. */
export interface HeaderExtensions {
  /** Data of those that matter as long as the image is open, by type: of the last one, as in qemu. */
  readonly kept: ReadonlyMap<number, Uint8Array<ArrayBuffer>>;
  /** Where all of them are in the file: whoever writes the header anew keeps these bytes. */
  readonly startBytes: number;
  readonly endBytes: number;
}

/** What is kept, and how long it can be. */
const KEPT: ReadonlyMap<number, { readonly name: string; readonly maxBytes: number }> = new Map([
  [ExtensionType.backingFormat, {
    name: "name of the backing file's format",
    maxBytes: MAX_FORMAT_NAME_BYTES,
  }],
  [ExtensionType.dataFile, {
    name: "name of the external data file",
    maxBytes: MAX_DATA_FILE_NAME_BYTES,
  }],
  [ExtensionType.encryptionHeader, {
    name: "place of the encryption header",
    maxBytes: ENCRYPTION_HEADER.sizeBytes,
  }],
]);

/**
 * Looks at all header extensions, and keeps the data of some.
 *
 * @throws {ImageFormatError} if one reaches beyond the area, or is longer than it can be
 */
export function readExtensions(area: ExtensionArea): HeaderExtensions {
  const found = new Map<number, Extension>();
  let endBytes = area.start;
  for (const extension of extensions(area)) {
    endBytes = Math.min(endOf(extension), area.end);
    const kind = KEPT.get(extension.type);
    if (kind === undefined) continue;
    if (extension.lengthBytes > kind.maxBytes) {
      throw damaged(area.path, `the ${kind.name} is too long`, extension.start);
    }
    found.set(extension.type, extension);
  }
  const kept = new Map([...found].map(([type, extension]) => [type, dataOf(extension, area)]));
  return { kept, startBytes: area.start, endBytes };
}

/** The text of an extension; undefined if there is none of this type. */
export function extensionText({ kept }: HeaderExtensions, type: number): string | undefined {
  const data = kept.get(type);
  return data === undefined ? undefined : textOf(data);
}

/** The data of the last extension of a type that an area has; throws as {@link readExtensions}. */
export function extensionData(
  area: ExtensionArea,
  type: number,
): Uint8Array<ArrayBuffer> | undefined {
  let found: Extension | undefined;
  for (const extension of extensions(area)) if (extension.type === type) found = extension;
  return found && dataOf(found, area);
}

/** All extensions up to the one that marks the end, or up to the end of the area. */
function* extensions(area: ExtensionArea): Generator<Extension> {
  const view = new DataView(area.bytes.buffer, area.bytes.byteOffset, area.bytes.length);
  let at = area.start;
  while (at < area.end) {
    const room = area.end - at - EXTENSION.sizeBytes;
    if (room < 0) throw damaged(area.path, "a header extension is cut off", at);
    // Field by field: a cluster has room for 262,144 of them.
    const type = view.getUint32(at + EXTENSION.offsets.type);
    const length = view.getUint32(at + EXTENSION.offsets.length);
    if (type === ExtensionType.end) return;
    if (length > room) throw damaged(area.path, "a header extension is too long", at);
    const extension = { type, start: at + EXTENSION.sizeBytes, lengthBytes: length };
    yield extension;
    at = endOf(extension);
  }
}

/** Where the next one begins. */
function endOf({ start, lengthBytes }: Extension): number {
  return start + Math.ceil(lengthBytes / EXTENSION_ALIGNMENT_BYTES) * EXTENSION_ALIGNMENT_BYTES;
}

function dataOf({ start, lengthBytes }: Extension, area: ExtensionArea): Uint8Array<ArrayBuffer> {
  return area.bytes.slice(start, start + lengthBytes);
}

/** Names the image gives to incompatible feature bits, by bit number. */
export function incompatibleFeatureNames(area: ExtensionArea): Map<number, string> {
  const names = new Map<number, string>();
  for (const extension of extensions(area)) {
    if (extension.type !== ExtensionType.featureNameTable) continue;
    addFeatureNames(dataOf(extension, area), names);
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
