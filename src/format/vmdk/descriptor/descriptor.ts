/**
 * The text that describes an image: `key=value`, and a line for each extent.
 *
 * @module
 */
import { damaged, unsupported } from "../errors.ts";
import { MAX_EXTENTS } from "../layout.ts";
import { type ExtentLine, isExtentLine, parseExtentLine } from "./extent_line.ts";

/** A value, and where in the text it is. */
export interface Field {
  readonly value: string;
  /** Of its first byte, from the start of the text on. */
  readonly position: number;
}

/** What a descriptor says. */
export interface Descriptor {
  /** By their keys in small letters; of a key that comes twice, the first one counts, as in qemu. */
  readonly fields: ReadonlyMap<string, Field>;
  readonly extents: readonly ExtentLine[];
}

/** So many characters are put together at once. */
const CHUNK = 4096;
/** In characters. */
const SHOWN_LENGTH = 200;

/**
 * Understands a descriptor.
 *
 * @param bytes NULs may follow
 * @param path of the file that has it
 * @throws {ImageFormatError} if a line about an extent cannot be understood
 * @throws {UnsupportedFeatureError} if there are too many of those
 */
export function parseDescriptor(bytes: Uint8Array, path: string): Descriptor {
  const text = charactersOf(trimmed(bytes));
  const fields = new Map<string, Field>();
  const lines: string[] = [];
  let position = 0;
  for (const line of text.split("\n")) {
    if (isExtentLine(line)) lines.push(line);
    else keepField(line, position, fields);
    position += line.length + 1;
  }
  if (lines.length > MAX_EXTENTS) throw unsupported(path, `more than ${MAX_EXTENTS} extents`);
  const decode = decoderFor(fields.get("encoding")?.value);
  const extents = lines.map((line) => {
    const extent = parseExtentLine(line, decode);
    if (extent !== undefined) return extent;
    throw damaged(path, `the extent '${shown(decode(line).trim())}' cannot be understood`);
  });
  const hint = fields.get(HINT);
  if (hint !== undefined) fields.set(HINT, { ...hint, value: decode(hint.value) });
  return { fields, extents };
}

/** As much of a line as helps to find it. */
function shown(line: string): string {
  return line.length > SHOWN_LENGTH ? `${line.slice(0, SHOWN_LENGTH)}...` : line;
}

/** The one value that is in the descriptor's encoding. */
const HINT = "parentfilenamehint";

function trimmed(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** One character for each byte, so that positions are the same. */
function charactersOf(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(start, start + CHUNK));
  }
  return text;
}

/** Blanks may stand anywhere, and quotes round the value. */
function keepField(line: string, position: number, fields: Map<string, Field>): void {
  const middle = line.indexOf("=");
  const name = line.slice(0, Math.max(0, middle)).trim().toLowerCase();
  if (name === "" || name.startsWith("#") || fields.has(name)) return;
  const recorded = line.slice(middle + 1).trim();
  const isQuoted = recorded.length > 1 && recorded.startsWith('"') && recorded.endsWith('"');
  const value = isQuoted ? recorded.slice(1, -1) : recorded;
  fields.set(name, { value, position: position + line.indexOf(value, middle + 1) });
}

/** Makes text of characters each of which is a byte; what is of an unknown encoding is taken as UTF-8. */
function decoderFor(encoding = "utf-8"): (bytes: string) => string {
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(encoding);
  } catch {
    decoder = new TextDecoder();
  }
  return (text) => decoder.decode(Uint8Array.from(text, (byte) => byte.charCodeAt(0)));
}
