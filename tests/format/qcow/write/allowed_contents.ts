/**
 * Which changes each sector of a disk has seen, and whether a content is one that they can leave.
 *
 * @module
 */
import type { DoneOp } from "./crash_run.ts";

const SECTOR_BYTES = 512;
const WORD_BYTES = 4;
const SECTOR_WORDS = SECTOR_BYTES / WORD_BYTES;

export class AllowedContents {
  readonly #original: Int32Array;
  readonly #done: readonly DoneOp[];
  /** What each change writes; nothing for zeros. */
  readonly #written: readonly (Int32Array | undefined)[];
  /** Changes by sector, in their order. */
  readonly #touches: number[][];

  constructor(original: Uint8Array, done: readonly DoneOp[]) {
    this.#original = wordsOf(original);
    this.#done = done;
    this.#written = done.map(({ op }) => op.kind === "write" ? wordsOf(op.bytes) : undefined);
    this.#touches = Array.from({ length: original.length / SECTOR_BYTES }, () => []);
    for (const [index, { op }] of done.entries()) {
      if (op.kind === "flush" || op.kind === "grow" || op.kind === "snapshot") continue;
      const length = op.kind === "write" ? op.bytes.length : op.length;
      const first = op.offset / SECTOR_BYTES;
      for (let n = 0; n < length / SECTOR_BYTES; n++) this.#touches[first + n]?.push(index);
    }
  }

  /** Sectors that have what they cannot have, when `at` steps have been made. */
  wrongSectors(disk: Uint8Array, at: number): number[] {
    const found = wordsOf(disk);
    const wrong: number[] = [];
    for (let sector = 0; sector < this.#touches.length; sector++) {
      if (!this.#isAllowed(found, sector, at)) wrong.push(sector);
    }
    return wrong;
  }

  /**
   * Whether some sector lacks what had been acknowledged: a kill should not do that.
   *
   * @param discarded whether what is discarded certainly has zeros then
   */
  hasLost(disk: Uint8Array, at: number, discarded: "zeros" | "anything" = "zeros"): boolean {
    const found = wordsOf(disk);
    for (const [sector, touches] of this.#touches.entries()) {
      const last = touches.findLast((index) => (this.#done[index]?.began ?? 0) < at);
      if (last === undefined || (this.#done[last]?.ended ?? 0) > at) continue;
      if (discarded === "anything" && this.#done[last]?.op.kind === "discard") continue;
      if (!this.#isBy(last, found, sector)) return true;
    }
    return false;
  }

  #isAllowed(found: Int32Array, sector: number, at: number): boolean {
    const touches = this.#touches[sector] ?? [];
    for (let n = touches.length - 1; n >= 0; n--) {
      const index = touches[n] ?? 0;
      const done = this.#done[index];
      if (done === undefined || done.began > at) continue;
      if (this.#isBy(index, found, sector)) return true;
      if (done.durable <= at && done.op.kind !== "discard") return false;
    }
    return areSame(found, this.#original, sector * SECTOR_WORDS, sector * SECTOR_WORDS);
  }

  #isBy(index: number, found: Int32Array, sector: number): boolean {
    const start = sector * SECTOR_WORDS;
    const [op, written] = [this.#done[index]?.op, this.#written[index]];
    if (op?.kind !== "write" || written === undefined) return areZeros(found, start);
    return areSame(found, written, start, start - op.offset / WORD_BYTES);
  }
}

/** The same memory, if it is aligned. */
function wordsOf(bytes: Uint8Array): Int32Array {
  const { buffer, byteOffset, length } = bytes.byteOffset % WORD_BYTES === 0
    ? bytes
    : bytes.slice();
  return new Int32Array(buffer, byteOffset, Math.floor(length / WORD_BYTES));
}

function areZeros(words: Int32Array, start: number): boolean {
  for (let n = start; n < start + SECTOR_WORDS; n++) if (words[n] !== 0) return false;
  return true;
}

/** Whether a sector of `one` from `start` on is one of `other` from `otherStart` on. */
function areSame(one: Int32Array, other: Int32Array, start: number, otherStart: number): boolean {
  for (let n = 0; n < SECTOR_WORDS; n++) {
    if (one[start + n] !== other[otherStart + n]) return false;
  }
  return true;
}
