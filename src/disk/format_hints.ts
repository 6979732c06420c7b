/**
 * What to say of a file that is taken for something else than it looks like.
 *
 * @module
 */
import { ImageFormatError, UnsupportedFeatureError } from "../image/errors.ts";
import type { FormatDriver } from "../image/driver.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { SystemError } from "../sys/errno.ts";
import { COMPRESSED_FILES, ENCRYPTED_VOLUME } from "./known_formats.ts";
import { isMarkedAs, recognise, type Recognised } from "./probe.ts";
import { findDriver } from "./registry.ts";

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
    const packed = recognise(file, COMPRESSED_FILES);
    return packed && `it is compressed with ${packed.name} and ${use} as it is`;
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}

/** What else there is to be said of a file that is described as RAW, undefined if nothing is. */
export function contentHint(file: ImageFile): string | undefined {
  const found = recognise(file, [...COMPRESSED_FILES, ENCRYPTED_VOLUME]);
  if (found === undefined) return undefined;
  return found.name === ENCRYPTED_VOLUME.name
    ? "it begins like an encrypted volume (see -t LUKS)"
    : `it is compressed with ${found.name}, and described as it is`;
}

/**
 * What a file may be that has no mark to count, but looks like something else than a disk, and what
 * tells; undefined if it does not.
 */
export function doubtAbout(file: ImageFile): string | undefined {
  const found = recognise(file, [...COMPRESSED_FILES, ENCRYPTED_VOLUME]);
  if (found === undefined) return undefined;
  const look = found.name === ENCRYPTED_VOLUME.name
    ? "begins like an encrypted volume"
    : `is compressed with ${found.name}`;
  return `it ${look}: -t RAW takes it as it is`;
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
    const found = recognise(file);
    if (found === undefined) throw error;
    const advice = isSupported(found) ? " (see --file-fmt-type)" : ", which is not supported";
    const message = `${error.message}: it ${likeness(found)}${advice}`;
    throw new ImageFormatError(driver.name, file.path, message);
  }
}

function imageHint(found: Recognised, use: Use): string {
  return isSupported(found)
    ? `it ${likeness(found)} but is ${use} as RAW (see --file-fmt-type)`
    : `it ${likeness(found)}, which is not supported, and is ${use} as RAW`;
}

/** `begins like a QCOW image`. */
export function likeness({ name, end }: Recognised): string {
  const article = /^[AEIO]/.test(name) ? "an" : "a";
  return `${end === "start" ? "begins" : "ends"} like ${article} ${name} image`;
}

/** Whether there is a driver for it. */
export function isSupported({ name }: Recognised): boolean {
  return findDriver(name) !== undefined;
}
