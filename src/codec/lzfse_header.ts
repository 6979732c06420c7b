/**
 * Headers of LZFSE's compressed blocks (Apple's reference implementation, lzfse_internal.h), of either
 * version. All numbers are little-endian.
 *
 * @module
 */

/** The numbers of symbols, and of the states that they share, of one code. */
export interface CodeShape {
  readonly symbols: number;
  readonly states: number;
}
export const LITERAL_CODE: CodeShape = { symbols: 256, states: 1024 };
/** Numbers of literals, lengths of matches, and how far back those are. */
export const LENGTH_CODE: CodeShape = { symbols: 20, states: 64 };
export const MATCH_CODE: CodeShape = { symbols: 20, states: 64 };
export const DISTANCE_CODE: CodeShape = { symbols: 64, states: 256 };
/** As their frequencies follow each other. */
const CODES = [LENGTH_CODE, MATCH_CODE, DISTANCE_CODE, LITERAL_CODE] as const;
const SYMBOLS = CODES.reduce((sum, { symbols }) => sum + symbols, 0);

const MAX_MATCHES = 10_000;
export const MAX_LITERALS: number = 4 * MAX_MATCHES;
const MOST_BITS_LESS = 7;

/** What is behind a header is as many bytes of literals, and then of matches. */
export interface BlockHeader {
  readonly headerBytes: number;
  readonly literals: number;
  readonly literalBytes: number;
  readonly matches: number;
  readonly matchBytes: number;
  /** How many bits of the last byte are not used. */
  readonly literalBitsLess: number;
  readonly matchBitsLess: number;
  /** Of the four codes of literals, that take turns. */
  readonly literalStates: readonly [number, number, number, number];
  readonly lengthState: number;
  readonly matchState: number;
  readonly distanceState: number;
  /** By code, then by symbol. */
  readonly frequencies: readonly [Uint16Array, Uint16Array, Uint16Array, Uint16Array];
}

/** Bytes of the first version, and in front of the frequencies. */
const VERSION_1_BYTES = 772;
const VERSION_1_FREQUENCIES = 50;
/** In front of the frequencies. */
const VERSION_2_BYTES = 32;

/** The header at `at`, whose frequencies are as they are; undefined if it cannot be one. */
export function readVersion1(view: DataView, at: number): BlockHeader | undefined {
  if (at + VERSION_1_BYTES > view.byteLength) return undefined;
  const word = (offset: number): number => view.getUint32(at + offset, true);
  const half = (offset: number): number => view.getUint16(at + offset, true);
  const all = Uint16Array.from(
    { length: SYMBOLS },
    (_, index) => half(VERSION_1_FREQUENCIES + 2 * index),
  );
  return checked({
    headerBytes: VERSION_1_BYTES,
    literals: word(12),
    matches: word(16),
    literalBytes: word(20),
    matchBytes: word(24),
    literalBitsLess: -view.getInt32(at + 28, true),
    literalStates: [half(32), half(34), half(36), half(38)],
    matchBitsLess: -view.getInt32(at + 40, true),
    lengthState: half(44),
    matchState: half(46),
    distanceState: half(48),
    frequencies: byCode(all),
  });
}

/** The header at `at`, whose fields and frequencies are packed; undefined if it cannot be one. */
export function readVersion2(view: DataView, at: number): BlockHeader | undefined {
  if (at + VERSION_2_BYTES > view.byteLength) return undefined;
  const word = (offset: number): number => view.getUint32(at + offset, true);
  const headerBytes = word(24);
  if (headerBytes < VERSION_2_BYTES || at + headerBytes > view.byteLength) return undefined;
  const frequencies = readFrequencies(view, at + VERSION_2_BYTES, at + headerBytes);
  return frequencies && checked({
    headerBytes,
    literals: word(8) & 0xfffff,
    literalBytes: word(8) >>> 20 | (word(12) & 0xff) << 12,
    matches: word(12) >>> 8 & 0xfffff,
    literalBitsLess: MOST_BITS_LESS - (word(12) >>> 28 & 7),
    literalStates: [
      word(16) & 0x3ff,
      word(16) >>> 10 & 0x3ff,
      word(16) >>> 20 & 0x3ff,
      word(16) >>> 30 | (word(20) & 0xff) << 2,
    ],
    matchBytes: word(20) >>> 8 & 0xfffff,
    matchBitsLess: MOST_BITS_LESS - (word(20) >>> 28 & 7),
    lengthState: word(28) & 0x3ff,
    matchState: word(28) >>> 10 & 0x3ff,
    distanceState: word(28) >>> 20 & 0x3ff,
    frequencies: byCode(frequencies),
  });
}

function checked(header: BlockHeader): BlockHeader | undefined {
  const { literals, matches, literalBitsLess, matchBitsLess, literalStates } = header;
  const { lengthState, matchState, distanceState, frequencies } = header;
  const isValid = literals <= MAX_LITERALS && literals % 4 === 0 && matches <= MAX_MATCHES &&
    [literalBitsLess, matchBitsLess].every((bits) => bits >= 0 && bits <= MOST_BITS_LESS) &&
    literalStates.every((state) => state < LITERAL_CODE.states) &&
    lengthState < LENGTH_CODE.states && matchState < MATCH_CODE.states &&
    distanceState < DISTANCE_CODE.states &&
    frequencies.every((some, code) => sumOf(some) <= (CODES[code]?.states ?? 0));
  return isValid ? header : undefined;
}

function sumOf(frequencies: Uint16Array): number {
  return frequencies.reduce((sum, frequency) => sum + frequency, 0);
}

function byCode(all: Uint16Array): BlockHeader["frequencies"] {
  const ends = CODES.map((_, code) =>
    CODES.slice(0, code + 1).reduce((sum, { symbols }) => sum + symbols, 0)
  );
  const [first = 0, second = 0, third = 0, fourth = 0] = ends;
  return [
    all.subarray(0, first),
    all.subarray(first, second),
    all.subarray(second, third),
    all.subarray(third, fourth),
  ];
}

/**
 * Numbers in codes of 2 to 14 bits, the lowest first; none at all are zeros. Undefined if they are not
 * just as many as there have to be.
 */
function readFrequencies(view: DataView, start: number, end: number): Uint16Array | undefined {
  const frequencies = new Uint16Array(SYMBOLS);
  if (start === end) return frequencies;
  let at = start;
  let bits = 0;
  let count = 0;
  for (let symbol = 0; symbol < SYMBOLS; symbol++) {
    for (; count <= 24 && at < end; count += 8) bits |= view.getUint8(at++) << count;
    const length = lengthOfCode(bits);
    if (length > count) return undefined;
    frequencies[symbol] = valueOfCode(bits, length);
    bits >>>= length;
    count -= length;
  }
  return count < 8 && at === end ? frequencies : undefined;
}

function lengthOfCode(bits: number): number {
  if ((bits & 1) === 0) return 2;
  if ((bits & 3) === 1) return 3;
  if ((bits & 7) === 3) return 5;
  return (bits & 15) === 7 ? 8 : 14;
}

function valueOfCode(bits: number, length: number): number {
  switch (length) {
    case 2:
      return bits >>> 1 & 1;
    case 3:
      return 2 + (bits >>> 2 & 1);
    case 5:
      return 4 + (bits >>> 3 & 3);
    case 8:
      return 8 + (bits >>> 4 & 0xf);
    default:
      return 24 + (bits >>> 4 & 0x3ff);
  }
}
