/**
 * Finding out what format a file has, from marks at fixed places.
 *
 * @module
 */
import type { FormatDriver } from "../image/driver.ts";
import { AUTO_FORMAT, RAW } from "../image/formats.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { archiveIn } from "./archives.ts";
import { type KnownFormat, UNSUPPORTED_FORMATS } from "./known_formats.ts";
import { findMark, type Marked, type Recognised } from "./marks.ts";
import { DRIVERS, findDriver } from "./registry.ts";

/**
 * The format whose mark `file` carries, be there a driver for it or not; undefined for a file without
 * a known mark.
 *
 * Nobody but the user knows whether a mark can be trusted: the owner of a raw disk can write any.
 *
 * @throws {SystemError} if the file cannot be read
 */
export function recognise(file: Marked): Recognised | undefined {
  return findMark(file, [...UNSUPPORTED_FORMATS, ...DRIVERS]);
}

/** Name of the format that {@link recognise} finds; throws likewise. */
export function probeFormat(file: ImageFile): string | undefined {
  return recognise(file)?.name;
}

/**
 * The driver for a file that is said to be of the format `name`, or `auto`: then its mark decides, and
 * without one it is RAW.
 *
 * @throws {RangeError} if there is no driver for that format, or it is an archive
 * @throws {SystemError} if the file cannot be read
 */
export function driverFor(name: string, file: ImageFile): FormatDriver {
  const format = name === AUTO_FORMAT ? formatIn(file) : name;
  const driver = findDriver(format);
  if (driver === undefined) throw new RangeError(`${format} images are not supported`);
  return versionOf(driver, file);
}

function formatIn(file: ImageFile): string {
  const archive = archiveIn(file);
  if (archive !== undefined) throw new RangeError(`it ${archive}: -t RAW takes it as it is`);
  return probeFormat(file) ?? RAW.name;
}

/** `driver`, or where its name stands for several versions of a format, the one for that of `file`. */
export function versionOf(driver: FormatDriver, file: ImageFile): FormatDriver {
  return driver.otherVersions?.find((version) => isMarkedAs(version, file)) ?? driver;
}

/** Whether `file` carries a mark of this format. */
export function isMarkedAs(format: KnownFormat, file: ImageFile): boolean {
  return findMark(file, [format]) !== undefined;
}
