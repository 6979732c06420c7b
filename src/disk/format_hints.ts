/**
 * What to say of a file that is taken for something else than it looks like.
 *
 * @module
 */
import { ImageFormatError, UnsupportedFeatureError } from "../image/errors.ts";
import type { FormatDriver } from "../image/driver.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { SystemError } from "../sys/errno.ts";
import { descriptorPath } from "../format/vmdk/errors.ts";
import { vmdk } from "../format/vmdk/mod.ts";
import { fileStatusIfAny } from "../sys/files.ts";
import { archiveIn } from "./archives.ts";
import { COMPRESSED_FILES, ENCRYPTED_VOLUME } from "./known_formats.ts";
import { findMark, type Recognised } from "./marks.ts";
import { openImageFile } from "./open_file.ts";
import { isMarkedAs, recognise } from "./probe.ts";
import { findDriver } from "./registry.ts";

const NOT_SUPPORTED = ", which is not supported";

/** What is done with a file. */
type Use = "attached" | "made larger";

/**
 * A warning for whoever uses `file` as RAW, undefined if nothing is to be said. It is only a hint: a
 * disk whose first or last sector cannot be read is used all the same.
 */
export function rawHint(file: ImageFile, use: Use = "attached"): string | undefined {
  try {
    const found = recognise(file);
    if (found !== undefined) return imageHint(found, use);
    const packing = packingOf(file);
    if (packing !== undefined) return `it ${packing} and ${use} as it is`;
    const descriptor = descriptorOf(file.path);
    return descriptor && `it looks like a piece of ${descriptor}, and is ${use} as RAW`;
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}

/** The VMDK image that a flat file is likely to be a piece of, as its name tells; undefined without one. */
function descriptorOf(path: string): string | undefined {
  const descriptor = descriptorPath(path);
  if (descriptor === undefined || fileStatusIfAny(descriptor)?.kind !== "file") return undefined;
  using file = openImageFile(descriptor, { readOnly: true }).file;
  return isMarkedAs(vmdk, file) ? descriptor : undefined;
}

/** What else there is to be said of a file that is described as RAW, undefined if nothing is. */
export function contentHint(file: ImageFile): string | undefined {
  if (isVolume(file)) return "it begins like an encrypted volume (see -t LUKS)";
  const packing = packingOf(file);
  return packing && `it ${packing}, and described as it is`;
}

/**
 * What a file may be that has no mark to count, but looks like something else than a disk, and what
 * tells; undefined if it does not.
 */
export function doubtAbout(file: ImageFile): string | undefined {
  const look = isVolume(file) ? "begins like an encrypted volume" : packingOf(file);
  return look && `it ${look}: -t RAW takes it as it is`;
}

function isVolume(file: ImageFile): boolean {
  return isMarkedAs(ENCRYPTED_VOLUME, file);
}

/** What an image in it would be packed with, to go behind "it"; undefined if it does not look so. */
function packingOf(file: ImageFile): string | undefined {
  const compressed = findMark(file, COMPRESSED_FILES);
  return archiveIn(file) ?? (compressed && `is compressed with ${compressed.name}`);
}

/** A file, and the driver for what it is taken for. */
export interface TakenFor {
  readonly file: ImageFile;
  readonly driver: FormatDriver;
}

/**
 * Has a driver look into a file. Where that fails because the file is of another format, the error
 * says of which.
 *
 * @throws whatever `look` does; an {@link ImageFormatError} in place of one if more is known
 */
export function lookWith<T>({ driver, file }: TakenFor, look: () => T): T {
  try {
    return look();
  } catch (error) {
    const isRefused = error instanceof ImageFormatError || error instanceof UnsupportedFeatureError;
    if (!isRefused || isMarkedAs(driver, file)) throw error;
    const look = lookOf(file);
    if (look === undefined) throw error;
    throw new ImageFormatError(driver.name, file.path, `${error.message}: it ${look}`);
  }
}

/** What a file looks like, to go behind "it"; undefined if it looks like nothing in particular. */
export function lookOf(file: ImageFile): string | undefined {
  const found = recognise(file);
  if (found === undefined) return packingOf(file);
  return likeness(found) + (isSupported(found) ? " (see --file-fmt-type)" : NOT_SUPPORTED);
}

function imageHint(found: Recognised, use: Use): string {
  return isSupported(found)
    ? `it ${likeness(found)} but is ${use} as RAW (see --file-fmt-type)`
    : `it ${likeness(found)}${NOT_SUPPORTED}, and is ${use} as RAW`;
}

/** `begins like a QCOW image`. */
export function likeness({ name, end }: Recognised): string {
  const article = /^[AEIOX]/.test(name) ? "an" : "a";
  return `${end === "start" ? "begins" : "ends"} like ${article} ${name} image`;
}

/** Whether there is a driver for it. */
export function isSupported({ name }: Recognised): boolean {
  return findDriver(name) !== undefined;
}
