/**
 * What CRCs of 32 bits are computed with, byte by byte.
 *
 * @module
 */

/**
 * What each byte makes of a CRC.
 *
 * @param polynomial with its bits in reverse order
 */
export function crcTable(polynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = rest >>> 1 ^ (rest & 1 ? polynomial : 0);
    return rest;
  });
}
