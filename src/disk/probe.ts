/**
 * Finding out what format a file has, from marks at fixed places.
 *
 * @module
 */
import { IoBuffer } from "../sys/memory.ts";
import type { FormatDriver, Magic } from "../image/driver.ts";
import { AUTO_FORMAT, RAW } from "../image/formats.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { type KnownFormat, UNSUPPORTED_FORMATS } from "./known_formats.ts";
import { DRIVERS, findDriver } from "./registry.ts";

/** A format whose mark was found. */
export interface Recognised {
  readonly name: string;
  /** At which end of the file the mark lies. */
  readonly end: "start" | "end";
}

/**
 * The format whose mark `file` carries, be there a driver for it or not; undefined for a file without
 * a known mark. A mark at the start counts before one at the end, where any disk's last bytes can be;
 * of several, the longest.
 *
 * Nobody but the user knows whether a mark can be trusted: the owner of a raw disk can write any.
 *
 * @throws {SystemError} if the file cannot be read
 */
export function recognise(
  file: ImageFile,
  formats: readonly KnownFormat[] = [...UNSUPPORTED_FORMATS, ...DRIVERS],
): Recognised | undefined {
  const marks = formats.flatMap(({ name, magics }) => magics.map((magic) => ({ name, ...magic })));
  const ends = readEnds(file, marks);
  const [best] = marks.filter((mark) => ends.has(mark)).sort((a, b) => rank(b) - rank(a));
  if (best !== undefined && best.offset >= 0) return { name: best.name, end: "start" };
  const head = readRange(file, 0, TEXT_BYTES);
  const text = formats.find(({ isTextOf }) => isTextOf?.(head) === true);
  if (text !== undefined) return { name: text.name, end: "start" };
  return best && { name: best.name, end: "end" };
}

/** Of a file that may be a text, so much is looked into. */
const TEXT_BYTES = 2048;

function rank({ offset, bytes }: Magic): number {
  return offset < 0 ? bytes.length - Number.MAX_SAFE_INTEGER : bytes.length;
}

/** Name of the format that {@link recognise} finds; throws likewise. */
export function probeFormat(file: ImageFile): string | undefined {
  return recognise(file)?.name;
}

/**
 * The driver for a file that is said to be of the format `name`, or `auto`: then its mark decides, and
 * without one it is RAW.
 *
 * @throws {RangeError} if there is no driver for that format
 * @throws {SystemError} if the file cannot be read
 */
export function driverFor(name: string, file: ImageFile): FormatDriver {
  const format = name === AUTO_FORMAT ? probeFormat(file) ?? RAW.name : name;
  const driver = findDriver(format);
  if (driver === undefined) throw new RangeError(`${format} images are not supported`);
  return versionOf(driver, file);
}

/** `driver`, or where its name stands for several versions of a format, the one for that of `file`. */
export function versionOf(driver: FormatDriver, file: ImageFile): FormatDriver {
  return driver.otherVersions?.find((version) => isMarkedAs(version, file)) ?? driver;
}

/** Whether `file` carries a mark of this format. */
export function isMarkedAs(format: KnownFormat, file: ImageFile): boolean {
  return recognise(file, [format]) !== undefined;
}

/** The bytes at both ends of a file, where marks can be. */
interface Ends {
  has(mark: Magic): boolean;
}

function readEnds(file: ImageFile, magics: readonly Magic[]): Ends {
  const headBytes = Math.max(0, ...magics.map(({ offset, bytes }) => offset + bytes.length));
  const tailBytes = Math.max(0, ...magics.map(({ offset }) => -offset));
  const tailOffset = file.sizeBytes - tailBytes;
  const head = readRange(file, 0, headBytes);
  const tail = readRange(file, Math.max(0, tailOffset), tailOffset < 0 ? 0 : tailBytes);
  return {
    has: ({ offset, bytes }) =>
      offset < 0 ? contains(tail, tailBytes + offset, bytes) : contains(head, offset, bytes),
  };
}

function readRange(file: ImageFile, hostOffset: number, lengthBytes: number): Uint8Array {
  const buffer = new IoBuffer(Math.min(lengthBytes, file.sizeBytes));
  file.read(buffer, 0, hostOffset, buffer.size);
  return buffer.bytes;
}

function contains(area: Uint8Array, position: number, bytes: Uint8Array): boolean {
  if (position + bytes.length > area.length) return false;
  return bytes.every((byte, index) => area[position + index] === byte);
}
