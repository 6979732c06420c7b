/**
 * Pieces stored by Apple Data Compression, a run after the other:
 *
 *     1nnnnnnn                    n + 1 bytes follow, as they are
 *     01nnnnnn dddddddd dddddddd  n + 4 bytes, from d + 1 bytes back on
 *     00nnnndd dddddddd           n + 3 bytes, from d + 1 bytes back on
 *
 * @module
 */
import { conclude, type Decompressor } from "./decompressor.ts";
import { copyMatch } from "./match.ts";

const LITERAL_FLAG = 0x80;
const LITERAL_MASK = 0x7f;
const LONG_FLAG = 0x40;
const LONG_MASK = 0x3f;
const LEAST_LITERAL = 1;
const LEAST_LONG = 4;
const LEAST_SHORT = 3;

/** There is no mark at the end, and no checksum: all that is stored counts. */
export class AdcDecoder implements Decompressor {
  decompress(stored: Uint8Array, piece: Uint8Array, leastBytes?: number): boolean {
    return conclude(expand(stored, piece), piece, leastBytes);
  }

  [Symbol.dispose](): void {}
}

/** Bytes of `to` that have been filled; -1 for damage. What comes after it is full is not looked at. */
function expand(from: Uint8Array, to: Uint8Array): number {
  let at = 0;
  let filled = 0;
  while (at < from.length && filled < to.length) {
    const code = from[at++] ?? 0;
    if ((code & LITERAL_FLAG) !== 0) {
      const count = (code & LITERAL_MASK) + LEAST_LITERAL;
      if (at + count > from.length || filled + count > to.length) return -1;
      to.set(from.subarray(at, at + count), filled);
      at += count;
      filled += count;
      continue;
    }
    const isLong = (code & LONG_FLAG) !== 0;
    const count = isLong ? (code & LONG_MASK) + LEAST_LONG : (code >> 2) + LEAST_SHORT;
    const high = isLong ? from[at++] : code & 3;
    const low = from[at++];
    if (high === undefined || low === undefined) return -1;
    const distance = (high << 8 | low) + 1;
    if (distance > filled || filled + count > to.length) return -1;
    filled = copyMatch(to, filled, distance, count);
  }
  return filled;
}
