/**
 * Identifiers of 16 bytes, in Microsoft's order: the first three fields are little-endian.
 *
 * @module
 */

export const GUID_BYTES = 16;

/** Bytes in the order in which they are written down, and where a hyphen comes before one. */
const MICROSOFT_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
const HYPHENS = [4, 6, 8, 10];

/** As people read it: `8a5a800e-f241-1949-b2de-b815a3aa2311`; undefined for all zeros, which is none. */
export function guidText(bytes: Uint8Array): string | undefined {
  if (bytes.every((byte) => byte === 0)) return undefined;
  return textInOrder(bytes, MICROSOFT_ORDER);
}

/** A new one, of random bits (RFC 9562, version 4). */
export function randomGuid(): Uint8Array<ArrayBuffer> {
  const bytes = crypto.getRandomValues(new Uint8Array(GUID_BYTES));
  // In Microsoft's order, the version is in the second byte of its field.
  bytes[7] = (bytes[7] ?? 0) & 0x0f | 0x40;
  bytes[8] = (bytes[8] ?? 0) & 0x3f | 0x80;
  return bytes;
}

function textInOrder(bytes: Uint8Array, order: readonly number[]): string {
  return order.map((from, index) => {
    const digits = (bytes[from] ?? 0).toString(16).padStart(2, "0");
    return HYPHENS.includes(index) ? `-${digits}` : digits;
  }).join("");
}
