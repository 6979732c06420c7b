/**
 * Text as Windows' programs write it: UTF-16, up to a NUL if there is one.
 *
 * @module
 */

/** The text in `bytes`; an odd one at their end does not count. */
export function utf16Text(bytes: Uint8Array, order: "be" | "le"): string {
  const text = new TextDecoder(`utf-16${order}`, { ignoreBOM: true })
    .decode(bytes.subarray(0, bytes.length - bytes.length % 2));
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}
