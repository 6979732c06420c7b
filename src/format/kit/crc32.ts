/**
 * CRC-32 as gzip, xz and many others have it (ISO 3309): polynomial 0x04c11db7, bits in reverse order.
 *
 * @module
 */
import { crcTable } from "./crc_table.ts";

const POLYNOMIAL = 0xedb88320;
let table: Uint32Array | undefined;

/** The checksum of `bytes`, or of what `before` is one of and of `bytes` behind it. */
export function crc32(bytes: Uint8Array, before = 0): number {
  const byBytes = table ??= crcTable(POLYNOMIAL);
  let crc = ~before;
  for (const byte of bytes) crc = (byBytes[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}
