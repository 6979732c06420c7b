/**
 * Formats that no driver reads yet, as data: they are known by their marks alone, so that they can be
 * named where somebody takes them for something else.
 *
 * @module
 */
import type { FormatDriver, Magic } from "../image/driver.ts";

/** A format and how its files are recognised. */
export interface KnownFormat {
  readonly name: string;
  readonly magics: readonly Magic[];
  /** As {@link FormatDriver.isTextOf}. */
  readonly isTextOf?: FormatDriver["isTextOf"] | undefined;
}

/**
 * Images. LUKS is not among them: a raw image that holds an encrypted volume is an ordinary raw image.
 */
export const UNSUPPORTED_FORMATS: readonly KnownFormat[] = [
  // Apple's, of macOS 26: the version and the size of the header belong to the mark
  { name: "ASIF", magics: [magic(0, "shdw\0\0\0\x01\0\0\x02\0")] },
  // Bochs' of the mode "sparse", versions 1 and 2 (iodev/hdimage/hdimage.h)
  {
    name: "BOCHS-SPARSE",
    magics: [magic(0, "\xce\x8aF\x02\x01\0\0\0"), magic(0, "\xce\x8aF\x02\x02\0\0\0")],
  },
];

/** What image files are often packed with. A disk could begin so as well: worth a hint, no more. */
export const COMPRESSED_FILES: readonly KnownFormat[] = [
  { name: "bzip2", magics: [magic(0, "BZh91AY&SY")] },
];

/** What may be meant as an image of its own, but is an ordinary disk as well. */
export const ENCRYPTED_VOLUME: KnownFormat = {
  name: "LUKS",
  magics: [magic(0, "LUKS\xba\xbe")],
};

/** A mark: one character of `text` is one byte. */
export function magic(offset: number, text: string): Magic {
  return { offset, bytes: Uint8Array.from(text, (character) => character.charCodeAt(0)) };
}
