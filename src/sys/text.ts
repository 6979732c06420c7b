/**
 * Text made of bytes that need not be valid text: a file name can be any bytes, and a listing has to
 * print the same ones again.
 *
 * Each byte that is no part of valid UTF-8 becomes one of the code units U+DC80 to U+DCFF, which no
 * valid text has alone (PEP 383, "surrogateescape").
 *
 * @module
 */

const ESCAPE = 0xdc00;
/** A byte that was no text. */
const ESCAPED_BYTE = /[\udc80-\udcff]/u;

/** The text of `bytes`, from which {@link encodeText} makes the same bytes. */
export function decodeText(bytes: Uint8Array): string {
  return decodeStrictly(bytes) ?? decodeByCharacter(bytes);
}

/** The bytes of a text, escaped bytes as they were. */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  if (text.isWellFormed()) return encoder.encode(text);
  return Uint8Array.from(
    Array.from(text).flatMap((character) =>
      escapedByte(character) ?? [...encoder.encode(character)]
    ),
  );
}

/** The byte that a character stands for, if it is an escaped one. */
function escapedByte(character: string): number | undefined {
  return ESCAPED_BYTE.test(character) ? character.charCodeAt(0) - ESCAPE : undefined;
}

function decodeStrictly(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function decodeByCharacter(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes[at] ?? 0);
    const character = decodeStrictly(bytes.subarray(at, at + length));
    text += character ?? String.fromCharCode(ESCAPE | (bytes[at] ?? 0));
    at += character === undefined ? 1 : length;
  }
  return text;
}

/** Length of the UTF-8 sequence that begins with this byte. */
function sequenceLength(lead: number): number {
  if (lead < 0xc0) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}
