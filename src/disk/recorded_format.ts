/**
 * The drivers of images of which others record the format.
 *
 * @module
 */
import type { FormatDriver } from "../image/driver.ts";
import { AUTO_FORMAT } from "../image/formats.ts";
import type { Parent } from "../image/identity.ts";
import { findDriver, findRecordedDriver } from "./registry.ts";

/** Formats as they are recorded, and what the user says where they are not. */
export interface RecordedFormat {
  readonly recorded: string | undefined;
  /** The format that the name of the image says. */
  readonly named: string | undefined;
  /** Canonical name or `auto`: that of images of which none is recorded. */
  readonly otherwise: string | undefined;
}

/**
 * The driver of an image; undefined if its content is to decide.
 *
 * @throws {RangeError} if there is none, or two formats are recorded
 * @throws {Error} if nobody says what it is
 */
export function recordedDriver(
  { recorded, named, otherwise }: RecordedFormat,
): FormatDriver | undefined {
  const format = agreed(recorded, named);
  if (format !== undefined) return known(findRecordedDriver(format), format);
  if (otherwise === undefined) {
    throw new Error("its format is not recorded; --backing-fmt <format> says what it is");
  }
  return otherwise === AUTO_FORMAT ? undefined : known(findDriver(otherwise), otherwise);
}

/**
 * Those that an image known by its identity may be of, the likeliest first.
 *
 * @throws {RangeError} if there is none for one of the formats
 */
export function driversOfParent(
  { format, otherFormats = [] }: Parent,
): [FormatDriver, ...FormatDriver[]] {
  const driverOf = (name: string): FormatDriver => known(findDriver(name), name);
  return [driverOf(format), ...otherFormats.map(driverOf)];
}

function known(driver: FormatDriver | undefined, name: string): FormatDriver {
  if (driver === undefined) throw new RangeError(`${name} images are not supported`);
  return driver;
}

/** The format, which can be recorded beside the name and in it. */
function agreed(recorded: string | undefined, named: string | undefined): string | undefined {
  const contradicts = recorded !== undefined && named !== undefined &&
    findRecordedDriver(recorded) !== findRecordedDriver(named);
  if (!contradicts) return recorded ?? named;
  throw new RangeError(`its format is recorded as '${recorded}', but its name says '${named}'`);
}
