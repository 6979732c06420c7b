/**
 * What a view says of itself, in its own first bytes: whoever finds the device of the metadata knows
 * what it is, without any file that could be lost.
 *
 * @module
 */
import type { ImageView } from "../disk/request.ts";

/** So many bytes are free in front of the superblock. */
export const DESCRIPTION_BYTES = 1024;

/** An image that is shown. */
export interface ViewDescription {
  /** Path of the image. */
  readonly image: string;
  /** Canonical name of its format. */
  readonly format: string;
  /** The image file itself, whatever it is called: device numbers and inode. */
  readonly imageDevice: readonly [major: number, minor: number];
  readonly imageInode: number;
  /** Which of its disks, if not the usual one. */
  readonly view?: ImageView;
  /** The size limit that was asked for, 0 for none, if the device has another one than that. */
  readonly sizeLimitBytes?: number;
  /** Whether wrong bytes would be read without direct I/O. */
  readonly needsDirectIo?: true;
}

/** As bytes for the start of the metadata, fewer than {@link DESCRIPTION_BYTES}: names that are too long are left out. */
export function encodeDescription(description: ViewDescription): Uint8Array {
  const { view = {}, ...image } = description;
  const { snapshot: _, ...viewWithoutName } = view;
  const choices: readonly ViewDescription[] = [
    description,
    { ...description, image: "" },
    { ...image, image: "", view: viewWithoutName },
  ];
  const texts = choices.map((choice) =>
    new TextEncoder().encode(JSON.stringify({ version: 1, ...choice }))
  );
  const fitting = texts.find(({ length }) => length < DESCRIPTION_BYTES);
  if (fitting === undefined) throw new RangeError("the view's description is too long");
  return fitting;
}

/** What {@link encodeDescription} has made; undefined if it is none. */
export function decodeDescription(bytes: Uint8Array): ViewDescription | undefined {
  const end = bytes.indexOf(0);
  try {
    const text = new TextDecoder("utf-8", { fatal: true })
      .decode(end < 0 ? bytes : bytes.subarray(0, end));
    return described(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function described(found: unknown): ViewDescription | undefined {
  if (typeof found !== "object" || found === null) return undefined;
  const { version, ...description } = found as Record<string, unknown>;
  const { image, format, imageDevice, imageInode, view, sizeLimitBytes, needsDirectIo } =
    description;
  const isComplete = version === 1 && typeof image === "string" && typeof format === "string" &&
    isDevice(imageDevice) && typeof imageInode === "number" && isView(view) &&
    ["number", "undefined"].includes(typeof sizeLimitBytes) &&
    [true, undefined].includes(needsDirectIo as true | undefined);
  return isComplete ? description as unknown as ViewDescription : undefined;
}

function isDevice(found: unknown): boolean {
  return Array.isArray(found) && found.length === 2 &&
    found.every((number) => typeof number === "number");
}

/** How each field of an {@link ImageView} is known. */
const VIEW_FIELDS: Readonly<Record<keyof ImageView, (value: unknown) => boolean>> = {
  snapshot: (value) => typeof value === "string",
  noBacking: (value) => value === true,
  backingFormat: (value) => typeof value === "string",
  parents: (value) => Array.isArray(value) && value.every((path) => typeof path === "string"),
  force: (value) => value === true,
};

function isView(found: unknown): boolean {
  if (found === undefined) return true;
  if (typeof found !== "object" || found === null) return false;
  const fields: Readonly<Record<string, (value: unknown) => boolean>> = VIEW_FIELDS;
  return Object.entries(found).every(([name, value]) => fields[name]?.(value) === true);
}
