/**
 * What a differencing image says of the image below it: its identifier, and names it has had.
 *
 * @module
 */
import { VHDX } from "../../image/formats.ts";
import type { Parent } from "../../image/identity.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { guidText } from "../kit/guid.ts";
import { utf16Text } from "../kit/utf16.ts";
import { damaged, unsupported } from "./errors.ts";
import { LOCATOR_ENTRY, PARENT_LOCATOR, VHDX_LOCATOR } from "./layout.ts";
import type { Metadata } from "./metadata.ts";

/** Keys of names, in the order in which they are to be tried. */
const NAMES = ["relative_path", "volume_path", "absolute_win32_path"];
/** What identifies the parent; the second one while that is being merged. */
const LINKAGES = ["parent_linkage", "parent_linkage2"];
/** There are five keys; what is more is somebody's joke. */
const MAX_KEYS = 64;
const GUID = /^\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?$/;

/**
 * Undefined for an image without a parent.
 *
 * @throws {ImageFormatError} if a differencing image does not say what it lies on
 * @throws {UnsupportedFeatureError} if that is no VHDX image
 */
export function parentOf(
  { path }: ImageFile,
  { parentLocator }: Pick<Metadata, "parentLocator">,
): Parent | undefined {
  if (parentLocator === undefined) return undefined;
  const values = readLocator(parentLocator, path);
  const [id, ...others] = LINKAGES.flatMap((key) =>
    GUID.exec(values.get(key)?.toLowerCase() ?? "")?.[1] ?? []
  );
  if (id === undefined) {
    throw damaged(path, "the differencing image does not say what it lies on");
  }
  const names = NAMES.flatMap((key) => values.get(key) ?? [])
    .map((name) => ({ kind: "windows", path: name } as const));
  return { format: VHDX.name, identity: { id }, otherIds: others, names };
}

function readLocator(bytes: Uint8Array, path: string): ReadonlyMap<string, string> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < PARENT_LOCATOR.sizeBytes) throw damaged(path, "the parent locator is cut off");
  const { locator_type, key_value_count: count } = PARENT_LOCATOR.read(view, 0);
  const type = guidText(locator_type) ?? "";
  if (type !== VHDX_LOCATOR) throw unsupported(path, `a parent locator of type ${type}`);
  const end = PARENT_LOCATOR.sizeBytes + count * LOCATOR_ENTRY.sizeBytes;
  if (count > MAX_KEYS || end > bytes.length) throw damaged(path, "the parent locator is damaged");
  const values = new Map<string, string>();
  for (let at = PARENT_LOCATOR.sizeBytes; at < end; at += LOCATOR_ENTRY.sizeBytes) {
    const { key_offset, key_length, value_offset, value_length } = LOCATOR_ENTRY.read(view, at);
    const key = utf16(bytes, key_offset, key_length);
    values.set(key, utf16(bytes, value_offset, value_length));
  }
  return values;
}

function utf16(bytes: Uint8Array, start: number, lengthBytes: number): string {
  return utf16Text(bytes.subarray(start, start + lengthBytes), "le");
}
