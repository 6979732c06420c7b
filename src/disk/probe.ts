/**
 * Finding out what format a file has, from marks at fixed places: data, not code.
 *
 * @module
 */
import { IoBuffer } from "../sys/memory.ts";
import type { Magic } from "../image/driver.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { DRIVERS } from "./registry.ts";

/** A format and how its files are recognised. */
interface Known {
  readonly name: string;
  readonly magics: readonly Magic[];
}

/**
 * Formats that no driver reads yet, so that they can be refused by name. LUKS is not among them: a
 * raw image that holds an encrypted volume is an ordinary raw image.
 */
const UNSUPPORTED: readonly Known[] = [
  { name: "QED", magics: [magic(0, "QED\0")] },
  { name: "VDI", magics: [magic(64, "\x7f\x10\xda\xbe")] },
  { name: "VMDK", magics: [magic(0, "KDMV"), magic(0, "COWD"), magic(0, "# Disk DescriptorFile")] },
  { name: "VHDX", magics: [magic(0, "vhdxfile")] },
  // a dynamic VHD has a copy of its footer at the start, a fixed one has only the footer
  { name: "VHD", magics: [magic(0, "conectix"), magic(-512, "conectix")] },
  { name: "PARALLELS", magics: [magic(0, "WithoutFreeSpace"), magic(0, "WithouFreSpacExt")] },
  { name: "BOCHS", magics: [magic(0, "Bochs Virtual HD Image")] },
  { name: "CLOOP", magics: [magic(0, "#!/bin/sh\n#V2.0 Format\n")] },
  { name: "DMG", magics: [magic(-512, "koly")] },
];

/**
 * Name of the format whose mark `file` carries, be there a driver for it or not; undefined for a
 * file without a known mark. Where several fit, the longest mark decides.
 *
 * Nobody but the user knows whether a mark can be trusted: the owner of a raw disk can write any.
 *
 * @throws {SystemError} if the file cannot be read
 */
export function probeFormat(file: ImageFile): string | undefined {
  const known: readonly Known[] = [...UNSUPPORTED, ...DRIVERS];
  const ends = readEnds(file, known.flatMap((format) => format.magics));
  let best: { name: string; lengthBytes: number } | undefined;
  for (const { name, magics } of known) {
    for (const { offset, bytes } of magics) {
      if (bytes.length <= (best?.lengthBytes ?? 0) || !ends.has(offset, bytes)) continue;
      best = { name, lengthBytes: bytes.length };
    }
  }
  return best?.name;
}

/**
 * Name of the format a file seems to have that is about to be attached as RAW: worth a hint.
 *
 * @throws {SystemError} if the file cannot be read
 */
export function foreignMagic(file: ImageFile): string | undefined {
  return probeFormat(file);
}

/** The bytes at both ends of a file, where marks can be. */
interface Ends {
  has(offset: number, bytes: Uint8Array): boolean;
}

function readEnds(file: ImageFile, magics: readonly Magic[]): Ends {
  const headBytes = Math.max(0, ...magics.map(({ offset, bytes }) => offset + bytes.length));
  const tailBytes = Math.max(0, ...magics.map(({ offset }) => -offset));
  const tailOffset = file.sizeBytes - tailBytes;
  const head = readRange(file, 0, headBytes);
  const tail = readRange(file, Math.max(0, tailOffset), tailOffset < 0 ? 0 : tailBytes);
  return {
    has: (offset, bytes) =>
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

/** One character of `text` is one byte. */
function magic(offset: number, text: string): Magic {
  return { offset, bytes: Uint8Array.from(text, (character) => character.charCodeAt(0)) };
}
