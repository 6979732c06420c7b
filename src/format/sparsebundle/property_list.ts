/**
 * The property list: parsed, and every value checked that reading the disk relies on.
 *
 * @module
 */
import { ImageFormatError } from "../../image/errors.ts";
import { servedSize } from "../../image/exact.ts";
import { SPARSEBUNDLE } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { Key, MAX_BAND_BYTES, MAX_LIST_BYTES, SECTOR_BYTES, TYPE } from "./layout.ts";

/** What a property list says of a disk. */
export interface BundleInfo {
  readonly sizeBytes: number;
  readonly bandBytes: number;
}

/** A key of the one dictionary, and its text or number. */
const ENTRY = /<key>\s*([\w-]+)\s*<\/key>\s*<(string|integer)>\s*([^<]*?)\s*<\/\2>/g;
const DECIMAL = /^\d{1,20}$/;

/**
 * @throws {ImageFormatError} if it is not a valid property list
 * @throws {UnsupportedFeatureError} if the disk is too large
 * @throws {SystemError} if the file cannot be read
 */
export function readPropertyList(file: ImageFile): BundleInfo {
  const entries = new Map<string, string>();
  for (const [, key = "", , value = ""] of textOf(file).matchAll(ENTRY)) entries.set(key, value);
  if (entries.get(Key.type) !== TYPE) {
    throw damaged(file, "this is no property list (Info.plist) of a sparse bundle");
  }
  const bandBytes = numberOf(entries, Key.bandBytes, file);
  const isPossible = bandBytes > 0n && bandBytes <= MAX_BAND_BYTES &&
    bandBytes % BigInt(SECTOR_BYTES) === 0n;
  if (!isPossible) throw damaged(file, `bands of ${bandBytes} bytes are not possible`);
  const sizeBytes = servedSize(numberOf(entries, Key.size, file), SPARSEBUNDLE.name, file.path);
  return { sizeBytes, bandBytes: Number(bandBytes) };
}

function textOf(file: ImageFile): string {
  if (file.sizeBytes > MAX_LIST_BYTES) {
    throw damaged(file, "the file is too long for a property list");
  }
  const buffer = new IoBuffer(file.sizeBytes);
  file.read(buffer, 0, 0, buffer.size);
  return new TextDecoder().decode(buffer.bytes);
}

function numberOf(entries: ReadonlyMap<string, string>, key: string, file: ImageFile): bigint {
  const text = entries.get(key) ?? "";
  if (!DECIMAL.test(text)) throw damaged(file, `it has no number for ${key}`);
  return BigInt(text);
}

function damaged({ path }: ImageFile, message: string): ImageFormatError {
  return new ImageFormatError(SPARSEBUNDLE.name, path, message);
}
