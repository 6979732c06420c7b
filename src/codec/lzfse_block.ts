/**
 * LZFSE's compressed blocks: literals, and the matches between them, in finite state entropy codes.
 *
 * @module
 */
import { BackwardBits } from "./backward_bits.ts";
import { copyMatch } from "./match.ts";
import {
  type BlockHeader,
  DISTANCE_CODE,
  LENGTH_CODE,
  LITERAL_CODE,
  MATCH_CODE,
  MAX_LITERALS,
} from "./lzfse_header.ts";

/** What a symbol stands for: the lowest number, and how many bits more tell which one it is. */
interface Values {
  readonly first: readonly number[];
  readonly bits: readonly number[];
}

/** Numbers up to 15 have symbols of their own; what follows them, shares some. */
function valuesOf(shared: readonly (readonly [first: number, bits: number])[]): Values {
  const own = Array.from({ length: 16 }, (_, value) => [value, 0] as const);
  const all = [...own, ...shared];
  return { first: all.map(([first]) => first), bits: all.map(([, bits]) => bits) };
}

const LENGTHS = valuesOf([[16, 2], [20, 3], [28, 5], [60, 8]]);
const MATCHES = valuesOf([[16, 3], [24, 5], [56, 8], [312, 11]]);
const DISTANCES = distances();

/** Four symbols for each number of bits. */
function distances(): Values {
  const first: number[] = [];
  const bits: number[] = [];
  let next = 0;
  for (let symbol = 0; symbol < DISTANCE_CODE.symbols; symbol++) {
    const count = symbol >> 2;
    first.push(next);
    bits.push(count);
    next += 2 ** count;
  }
  return { first, bits };
}

/** What follows a state, by its number: the next one is `next` and so many bits. */
class States {
  readonly #states: number;
  /** Bits to read, of which the lower ones tell the value. */
  readonly bits: Uint8Array;
  readonly valueBits: Uint8Array;
  readonly next: Int16Array;
  readonly values: Int32Array;

  constructor(states: number) {
    this.#states = states;
    this.bits = new Uint8Array(states);
    this.valueBits = new Uint8Array(states);
    this.next = new Int16Array(states);
    this.values = new Int32Array(states);
  }

  /** Each symbol has as many states as its frequency says. Those that are none's lead to the first one. */
  fill(frequencies: Uint16Array, values?: Values): void {
    let state = 0;
    for (let symbol = 0; symbol < frequencies.length; symbol++) {
      const frequency = frequencies[symbol] ?? 0;
      if (frequency === 0) continue;
      const most = Math.clz32(frequency) - Math.clz32(this.#states);
      const withMost = (2 * this.#states >> most) - frequency;
      const valueBits = values?.bits[symbol] ?? 0;
      for (let index = 0; index < frequency; index++, state++) {
        const hasMost = index < withMost;
        const bits = hasMost ? most : most - 1;
        this.bits[state] = bits + valueBits;
        this.valueBits[state] = valueBits;
        this.next[state] = hasMost
          ? (frequency + index << most) - this.#states
          : index - withMost << bits;
        this.values[state] = values?.first[symbol] ?? symbol;
      }
    }
    for (const array of [this.bits, this.valueBits, this.next, this.values]) array.fill(0, state);
  }
}

/** Where a block's bytes are, which have a margin on either side. */
interface Coded {
  readonly view: DataView;
  readonly start: number;
}

/** Where they go to, behind what is there. */
interface Target {
  readonly bytes: Uint8Array;
  readonly filled: number;
}

/** Blocks of one thread, one after the other. */
export class LzfseBlocks {
  readonly #literals = new Uint8Array(MAX_LITERALS);
  readonly #literalStates = new States(LITERAL_CODE.states);
  readonly #lengthStates = new States(LENGTH_CODE.states);
  readonly #matchStates = new States(MATCH_CODE.states);
  readonly #distanceStates = new States(DISTANCE_CODE.states);

  /**
   * Decompresses a block whose bytes begin at `start` of `view`.
   *
   * @returns how much of the target is filled then; -1 for damage
   */
  expand(header: BlockHeader, { view, start }: Coded, target: Target): number {
    const [lengths, matches, distances, literals] = header.frequencies;
    this.#literalStates.fill(literals);
    this.#lengthStates.fill(lengths, LENGTHS);
    this.#matchStates.fill(matches, MATCHES);
    this.#distanceStates.fill(distances, DISTANCES);
    const middle = start + header.literalBytes;
    const end = middle + header.matchBytes;
    const literalBits = new BackwardBits(view, { start, end: middle }, header.literalBitsLess);
    if (!this.#readLiterals(header, literalBits)) return -1;
    const matchBits = new BackwardBits(view, { start: middle, end }, header.matchBitsLess);
    return this.#expandMatches(header, matchBits, target);
  }

  #readLiterals({ literals, literalStates }: BlockHeader, bits: BackwardBits): boolean {
    const { bits: counts, next, values } = this.#literalStates;
    const states = Uint16Array.from(literalStates);
    const to = this.#literals;
    for (let at = 0; at < literals; at++) {
      const state = states[at & 3] ?? 0;
      to[at] = values[state] ?? 0;
      states[at & 3] = (next[state] ?? 0) + bits.pull(counts[state] ?? 0);
      if ((at & 3) === 3 && bits.isOverdrawn) return false;
    }
    return true;
  }

  #expandMatches(
    header: BlockHeader,
    bits: BackwardBits,
    { bytes: to, filled }: Target,
  ): number {
    let { lengthState, matchState, distanceState } = header;
    const [lengths, matches, distances] = [
      this.#lengthStates,
      this.#matchStates,
      this.#distanceStates,
    ];
    let at = filled;
    let literal = 0;
    let distance = 0;
    for (let rest = header.matches; rest > 0; rest--) {
      const l = bits.pull(lengths.bits[lengthState] ?? 0);
      const lBits = lengths.valueBits[lengthState] ?? 0;
      const length = (lengths.values[lengthState] ?? 0) + (l & (1 << lBits) - 1);
      lengthState = (lengths.next[lengthState] ?? 0) + (l >>> lBits);
      const m = bits.pull(matches.bits[matchState] ?? 0);
      const mBits = matches.valueBits[matchState] ?? 0;
      const match = (matches.values[matchState] ?? 0) + (m & (1 << mBits) - 1);
      matchState = (matches.next[matchState] ?? 0) + (m >>> mBits);
      const d = bits.pull(distances.bits[distanceState] ?? 0);
      const dBits = distances.valueBits[distanceState] ?? 0;
      // 0 stands for the last one
      distance = (distances.values[distanceState] ?? 0) + (d & (1 << dBits) - 1) || distance;
      distanceState = (distances.next[distanceState] ?? 0) + (d >>> dBits);
      if (bits.isOverdrawn || literal + length > header.literals) return -1;
      if (at + length + match > to.length) return -1;
      for (const end = at + length; at < end;) to[at++] = this.#literals[literal++] ?? 0;
      if (distance === 0 || distance > at) return -1;
      at = copyMatch(to, at, distance, match);
    }
    return at;
  }
}
