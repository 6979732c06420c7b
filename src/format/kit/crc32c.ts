/**
 * CRC-32C (Castagnoli): polynomial 0x1edc6f41, reflected, all ones before and after (RFC 3720, appendix B.4).
 *
 * @module
 */

const POLYNOMIAL = 0x82f63b78;
const CHECKSUM_BYTES = 4;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value >>> 1 ^ (value & 1 ? POLYNOMIAL : 0);
  return value;
});

/** Checksum of `bytes`, of which four at `zeroedAt` count as zeros: its own place. */
export function crc32c(bytes: Uint8Array, zeroedAt: number = bytes.length): number {
  let crc = update(0xffff_ffff, bytes, 0, zeroedAt);
  const end = Math.min(zeroedAt + CHECKSUM_BYTES, bytes.length);
  for (let at = zeroedAt; at < end; at++) crc = step(crc, 0);
  return ~update(crc, bytes, end, bytes.length) >>> 0;
}

function update(crc: number, bytes: Uint8Array, start: number, end: number): number {
  let value = crc;
  for (let at = start; at < end; at++) value = step(value, bytes[at] ?? 0);
  return value;
}

function step(crc: number, byte: number): number {
  return crc >>> 8 ^ (TABLE[(crc ^ byte) & 0xff] ?? 0);
}
