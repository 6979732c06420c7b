/**
 * What a differencing image says of the image below it: its identifier, and names it has had.
 *
 * @module
 */
import { VDI, VHD, VMDK } from "../../image/formats.ts";
import type { Parent, RecordedPath } from "../../image/identity.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer, textOf } from "../../sys/memory.ts";
import { guidText } from "../kit/guid.ts";
import { utf16Text } from "../kit/utf16.ts";
import { damaged } from "./errors.ts";
import type { BlockHeader, DynamicFields } from "./header.ts";
import { LOCATOR, MAX_LOCATOR_BYTES } from "./layout.ts";

/**
 * Undefined for an image without a parent.
 *
 * @throws {ImageFormatError} if a differencing image does not say what it lies on
 */
export function parentOf(file: ImageFile, header: BlockHeader | undefined): Parent | undefined {
  if (header === undefined || !header.isDifferencing) return undefined;
  const { fields } = header;
  const id = guidText(fields.parent_uuid);
  if (id === undefined) {
    throw damaged(file.path, "the differencing image does not say what it lies on");
  }
  const names = [...locatorNames(file, fields), windowsPath(utf16Text(fields.parent_name, "be"))];
  return {
    format: VHD.name,
    otherFormats: [VDI.name, VMDK.name],
    identity: { id },
    names: names.filter(({ path }) => path !== ""),
  };
}

/** What each kind of locator holds, the best first. Others (aliases of old Macs) mean nothing here. */
const NAMES: readonly (readonly [code: string, read: (bytes: Uint8Array) => RecordedPath])[] = [
  ["W2ru", (bytes) => windowsPath(utf16Text(bytes, "le"))],
  ["W2ku", (bytes) => windowsPath(utf16Text(bytes, "le"))],
  ["Wi2r", (bytes) => windowsPath(textOf(bytes))],
  ["Wi2k", (bytes) => windowsPath(textOf(bytes))],
  ["MacX", (bytes) => ({ kind: "plain", path: pathOfUrl(textOf(bytes)) })],
];

function locatorNames(file: ImageFile, fields: DynamicFields): RecordedPath[] {
  const all = locatorsOf(file, fields);
  return NAMES.flatMap(([code, read]) =>
    all.filter((locator) => String.fromCharCode(...locator.code) === code)
      .map((locator) => read(contentOf(file, locator)))
  );
}

/** Where in the file names of the parent are. */
export function locatorAreas(
  file: ImageFile,
  fields: DynamicFields,
): { readonly start: number; readonly end: number }[] {
  return locatorsOf(file, fields).map(({ offset, length }) => ({
    start: Number(offset),
    end: Number(offset) + length,
  }));
}

type Locator = ReturnType<typeof LOCATOR.read>;

/** Those that lie in the file: they are only hints. */
function locatorsOf(file: ImageFile, { locators }: DynamicFields): Locator[] {
  const view = new DataView(locators.buffer, locators.byteOffset, locators.length);
  const count = locators.length / LOCATOR.sizeBytes;
  const all = Array.from(
    { length: count },
    (_, index) => LOCATOR.read(view, index * LOCATOR.sizeBytes),
  );
  return all.filter(({ offset, length }) =>
    length > 0 && length <= MAX_LOCATOR_BYTES && offset + BigInt(length) <= BigInt(file.sizeBytes)
  );
}

function contentOf(file: ImageFile, { offset, length }: Locator): Uint8Array {
  const buffer = new IoBuffer(length);
  file.read(buffer, 0, Number(offset), length);
  return buffer.bytes;
}

function windowsPath(path: string): RecordedPath {
  return { kind: "windows", path };
}

/** Of `file://localhost/a%20b`; empty for what is none. */
function pathOfUrl(url: string): string {
  if (!url.startsWith("file:")) return "";
  try {
    return decodeURIComponent(new URL(url).pathname);
  } catch {
    return "";
  }
}
