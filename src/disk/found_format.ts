/**
 * Finding out the exact format of a file that is about to be attached.
 *
 * @module
 */
import { AUTO_FORMAT, RAW } from "../image/formats.ts";
import { archiveIn } from "./archives.ts";
import { openImageFile } from "./open_file.ts";
import { probeFormat, versionOf } from "./probe.ts";
import { findDriver } from "./registry.ts";

/**
 * The canonical name of the format of the file at `path`, which is said to be `format`, or `auto`: the file
 * decides which version of that it has. Where it cannot, attaching will say why not; so it will of an
 * archive, which stays `auto`.
 */
export function foundFormat(path: string, format: string): string {
  try {
    using file = openImageFile(path, { readOnly: true }).file;
    if (format === AUTO_FORMAT && archiveIn(file) !== undefined) return format;
    const name = format === AUTO_FORMAT ? probeFormat(file) ?? RAW.name : format;
    const driver = findDriver(name);
    return driver === undefined ? name : versionOf(driver, file).name;
  } catch (error) {
    if (error instanceof Error) return format === AUTO_FORMAT ? RAW.name : format;
    throw error;
  }
}
