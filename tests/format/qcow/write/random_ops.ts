/**
 * Random changes of a disk, and what a disk is after them.
 *
 * @module
 */
import type { SnapshotChange } from "../../../../src/image/snapshot_change.ts";

/** A change of the disk, or a flush. */
export type Op =
  | { readonly kind: "write"; readonly offset: number; readonly bytes: Uint8Array }
  | {
    readonly kind: "zeros";
    readonly offset: number;
    readonly length: number;
    readonly keep: boolean;
  }
  | { readonly kind: "discard"; readonly offset: number; readonly length: number }
  | { readonly kind: "flush" };

/** What is done to a disk that may get larger, and have snapshots. */
export type ScriptedOp =
  | Op
  | { readonly kind: "grow"; readonly sizeBytes: number }
  | { readonly kind: "snapshot"; readonly change: SnapshotChange };

/** Numbers that look random, the same for each seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** An integer from 0 up to `end`. */
  below(end: number): number {
    this.#state = this.#state + 0x6d2b79f5 | 0;
    let word = Math.imul(this.#state ^ this.#state >>> 15, 1 | this.#state);
    word = word + Math.imul(word ^ word >>> 7, 61 | word) ^ word;
    return Math.floor(((word ^ word >>> 14) >>> 0) / 2 ** 32 * end);
  }

  oneOf<T>(values: readonly [T, ...T[]]): T {
    return values[this.below(values.length)] ?? values[0];
  }
}

/** What random changes are like. */
export interface OpLimits {
  /** Where the part of the disk begins that is changed: a multiple of a unit; 0 if left out. */
  readonly startBytes?: number;
  /** Size of that part. */
  readonly sizeBytes: number;
  readonly mostBytes: number;
  /** What offsets and lengths mostly are multiples of. */
  readonly unitBytes: number;
}

const SECTOR_BYTES = 512;
const MOST_BYTES = 256 * 1024;

/** A length of several units, but of one where that is long: more only takes longer to judge. */
export function severalUnits(unitBytes: number): number {
  return Math.max(unitBytes, Math.min(16 * unitBytes, MOST_BYTES));
}

/** Every sector of a write says which write it is of, and which sector of the disk it is. */
export function stampedBytes(offset: number, length: number, id: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + 8 <= length; at += 8) {
    view.setUint32(at, 0x80000000 + id);
    view.setUint32(at + 4, Math.floor((offset + at) / SECTOR_BYTES));
  }
  return bytes;
}

/** @param id of the change, for {@link stampedBytes} */
export function randomOp(random: Random, limits: OpLimits, id: number): Op {
  const { startBytes = 0, sizeBytes, mostBytes, unitBytes } = limits;
  const kind = random.below(20);
  if (kind < 2) return { kind: "flush" };
  const grain = random.oneOf([SECTOR_BYTES, SECTOR_BYTES, unitBytes]);
  const inside = random.below(Math.ceil(sizeBytes / grain)) * grain;
  const offset = startBytes + inside;
  const most = Math.min(mostBytes, sizeBytes - inside);
  const length = Math.min(most, (1 + random.below(Math.ceil(most / grain))) * grain);
  if (kind < 14) return { kind: "write", offset, bytes: stampedBytes(offset, length, id) };
  if (kind < 17) return { kind: "zeros", offset, length, keep: random.below(2) === 0 };
  return { kind: "discard", offset, length };
}
