/**
 * What differencing images say of the image below them.
 *
 * @module
 */
import { LOCATOR_ENTRY, PARENT_LOCATOR, VHDX_LOCATOR } from "../../../src/format/vhdx/layout.ts";
import { guidBytes } from "./image_builder.ts";

/** A parent locator with these keys and values. */
export function locator(entries: Readonly<Record<string, string>>): Uint8Array<ArrayBuffer> {
  const all = Object.entries(entries);
  const start = PARENT_LOCATOR.sizeBytes + all.length * LOCATOR_ENTRY.sizeBytes;
  const texts = all.flat().map(utf16);
  const bytes = new Uint8Array(start + texts.reduce((sum, { length }) => sum + length, 0));
  const view = new DataView(bytes.buffer);
  const values = { locator_type: guidBytes(VHDX_LOCATOR), key_value_count: all.length };
  PARENT_LOCATOR.write(view, 0, values);
  let offset = start;
  const put = (text: string): { offset: number; length: number } => {
    const content = utf16(text);
    bytes.set(content, offset);
    offset += content.length;
    return { offset: offset - content.length, length: content.length };
  };
  for (const [index, [key, value]] of all.entries()) {
    const [one, other] = [put(key), put(value)];
    LOCATOR_ENTRY.write(view, PARENT_LOCATOR.sizeBytes + index * LOCATOR_ENTRY.sizeBytes, {
      key_offset: one.offset,
      key_length: one.length,
      value_offset: other.offset,
      value_length: other.length,
    });
  }
  return bytes;
}

function utf16(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(2 * text.length);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < text.length; index++) {
    view.setUint16(2 * index, text.charCodeAt(index), true);
  }
  return bytes;
}
