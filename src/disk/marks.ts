/**
 * Marks at fixed places of files.
 *
 * @module
 */
import type { Magic } from "../image/driver.ts";
import { IoBuffer } from "../sys/memory.ts";
import type { KnownFormat } from "./known_formats.ts";

/** What can have marks: a file, say. */
export interface Marked {
  readonly sizeBytes: number;
  /** @throws {SystemError} if it cannot be read */
  read(target: IoBuffer, position: number, hostOffset: number, lengthBytes: number): void;
}

/** A format whose mark was found. */
export interface Recognised {
  readonly name: string;
  /** At which end of the file the mark lies. */
  readonly end: "start" | "end";
}

/**
 * The one of `formats` whose mark `file` carries. A mark at the start counts before one at the end, where
 * any disk's last bytes can be, unless other formats begin so, too; of several, the longest.
 *
 * @throws {SystemError} if the file cannot be read
 */
export function findMark(
  file: Marked,
  formats: readonly KnownFormat[],
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

/** More than any mark has bytes. */
const LONGEST = 1 << 16;

function rank({ offset, bytes, isShared = false }: Magic): number {
  if (offset < 0) return bytes.length - LONGEST;
  return isShared ? bytes.length - 2 * LONGEST : bytes.length;
}

/** The bytes at both ends of a file, where marks can be. */
interface Ends {
  has(mark: Magic): boolean;
}

function readEnds(file: Marked, magics: readonly Magic[]): Ends {
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

function readRange(file: Marked, hostOffset: number, lengthBytes: number): Uint8Array {
  const buffer = new IoBuffer(Math.min(lengthBytes, file.sizeBytes));
  file.read(buffer, 0, hostOffset, buffer.size);
  return buffer.bytes;
}

function contains(area: Uint8Array, position: number, bytes: Uint8Array): boolean {
  if (position + bytes.length > area.length) return false;
  return bytes.every((byte, index) => area[position + index] === byte);
}
