/**
 * What decompressors of the family of LZ77 have in common.
 *
 * @module
 */

/** From so many bytes on, one call copies faster than a loop. */
const LONG_BYTES = 32;

/**
 * Repeats, at `at`, `lengthBytes` of what lies `distance` bytes in front of it: if that is less, what has
 * just been repeated is, again.
 *
 * @returns where that ends
 */
export function copyMatch(
  bytes: Uint8Array,
  at: number,
  distance: number,
  lengthBytes: number,
): number {
  const end = at + lengthBytes;
  if (lengthBytes >= LONG_BYTES && distance >= lengthBytes) {
    bytes.copyWithin(at, at - distance, end - distance);
    return end;
  }
  for (let to = at; to < end; to++) bytes[to] = bytes[to - distance] ?? 0;
  return end;
}
