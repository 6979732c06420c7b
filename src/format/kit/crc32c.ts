/**
 * CRC-32C (Castagnoli): polynomial 0x1edc6f41, reflected, all ones before and after (RFC 3720, appendix B.4).
 *
 * @module
 */
import { crcTable } from "./crc_table.ts";

const POLYNOMIAL = 0x82f63b78;
const CHECKSUM_BYTES = 4;

let table: Uint32Array | undefined;

/** Checksum of `bytes`, of which four at `zeroedAt` count as zeros: its own place. */
export function crc32c(bytes: Uint8Array, zeroedAt: number = bytes.length): number {
  const byBytes = table ??= crcTable(POLYNOMIAL);
  const zeroedEnd = zeroedAt + CHECKSUM_BYTES;
  let crc = 0xffff_ffff;
  for (let at = 0; at < bytes.length; at++) {
    const byte = at >= zeroedAt && at < zeroedEnd ? 0 : bytes[at] ?? 0;
    crc = crc >>> 8 ^ (byBytes[(crc ^ byte) & 0xff] ?? 0);
  }
  return ~crc >>> 0;
}
