/**
 * LZVN: runs of literals, and of matches behind them, in bytes (Apple's reference implementation,
 * lzvn_decode_base.c). L is how many literals follow, M how long a match is, D how far back it is:
 *
 *     LLMMMDDD DDDDDDDD            M + 3; D is not of the form 11x
 *     101LLMMM DDDDDDMM DDDDDDDD   M + 3; two of its bits, the lowest, are in the second byte
 *     LLMMM111 DDDDDDDD DDDDDDDD   M + 3
 *     LLMMM110                     M + 3, as far back as the last one
 *     1110LLLL, 11100000 LLLLLLLL  L, L + 16: no match
 *     1111MMMM, 11110000 MMMMMMMM  M, M + 16, as far back as the last one; no literals
 *     00001110, 00010110           nothing
 *     00000110, seven bytes more   the end
 *
 * @module
 */
import { copyMatch } from "./match.ts";

const END_CODE = 0x06;
const END_BYTES = 8;
/** 00001110, 00010110 */
const EMPTY_CODE = 0x0e;
const OTHER_EMPTY_CODE = 0x16;
const LEAST_MATCH = 3;
const LEAST_LONG = 16;

/** Where a block is, and where it goes to. */
export interface LzvnBlock {
  readonly from: Uint8Array;
  readonly start: number;
  /** Behind its mark of the end. */
  readonly end: number;
  readonly to: Uint8Array;
  readonly filled: number;
  /** What it has to be filled with behind the block. */
  readonly filledEnd: number;
}

/** Decompresses a block; whether it is one, of just so many bytes. */
export function expandLzvn({ from, start, end, to, filled, filledEnd }: LzvnBlock): boolean {
  let [at, out, distance] = [start, filled, 0];
  while (at < end) {
    const code = from[at] ?? 0;
    if (code === END_CODE) return at + END_BYTES === end && out === filledEnd;
    if (code === EMPTY_CODE || code === OTHER_EMPTY_CODE) {
      at++;
      continue;
    }
    const second = from[at + 1] ?? 0;
    const third = from[at + 2] ?? 0;
    let [literals, match, codeBytes] = [code >> 6, (code >> 3 & 7) + LEAST_MATCH, 1];
    if (code >= 0xf0) {
      literals = 0;
      match = code & 15 || second + LEAST_LONG;
      if ((code & 15) === 0) codeBytes = 2;
    } else if (code >= 0xe0) {
      literals = code & 15 || second + LEAST_LONG;
      match = 0;
      if ((code & 15) === 0) codeBytes = 2;
    } else if (code >= 0xa0 && code < 0xc0) {
      literals = code >> 3 & 3;
      match = ((code & 7) << 2 | second & 3) + LEAST_MATCH;
      distance = second >> 2 | third << 6;
      codeBytes = 3;
    } else if (isUndefined(code)) {
      return false;
    } else if ((code & 7) === 7) {
      distance = second | third << 8;
      codeBytes = 3;
    } else if ((code & 7) !== 6) {
      distance = (code & 7) << 8 | second;
      codeBytes = 2;
    }
    at += codeBytes;
    if (at + literals >= end || out + literals + match > filledEnd) return false;
    for (const last = at + literals; at < last;) to[out++] = from[at++] ?? 0;
    if (match === 0) continue;
    if (distance === 0 || distance > out) return false;
    out = copyMatch(to, out, distance, match);
  }
  return false;
}

/** 0111xxxx and 1101xxxx, and of 00xxx110 those that mean nothing. */
function isUndefined(code: number): boolean {
  return code >> 4 === 7 || code >> 4 === 13 || (code & 7) === 6 && code < 0x40;
}
