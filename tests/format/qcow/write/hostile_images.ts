/**
 * Images with damage that is meant to have a writer destroy something.
 *
 * @module
 */
import { HEADER, HEADER_V3 } from "../../../../src/format/qcow/layout.ts";
import { type Bytes, mutated, type Original as Mutable } from "../../mutations.ts";
import { ImageBytes } from "./image_bytes.ts";
import type { Random } from "./random_ops.ts";

const COPIED = 1n << 63n;
const COMPRESSED = 1n << 62n;
const ZERO = 1n;
const FLAGS = [0n, COPIED, COPIED, ZERO, COPIED | ZERO, COMPRESSED, COMPRESSED | COPIED] as const;
const COUNTS = [0, 0, 1, 1, 2, 3, 255] as const;
/** From version 3 on, the lowest byte of the incompatible features, in which the lowest bit says that counts may be wrong. */
const DIRTY_AT = 79;
const DIRTY = 1;
/** So many entries of each table are changed at most: the first ones. */
const ENTRIES = 64;

/** An image that hostile ones are made of. */
export class HostileImages {
  readonly #image: ImageBytes;
  readonly #mutable: Mutable;
  /** Where entries are that lead to guests' clusters. */
  readonly #l2Entries: number[] = [];
  readonly #blocks: number[] = [];

  constructor(path: string) {
    this.#image = new ImageBytes(path);
    const entries = this.#findEntries();
    const structures = [{ start: 0, ...HEADER }, { start: HEADER.sizeBytes, ...HEADER_V3 }]
      .map(({ start, types, offsets }) => ({ start, types, offsets }));
    const headBytes = Math.min(this.#image.clusterBytes, 600);
    this.#mutable = { bytes: this.#image.bytes, structures, entries, headBytes };
    if (this.#l2Entries.length === 0) this.#l2Entries.push(...entries);
  }

  #findEntries(): number[] {
    const { view, l1Offset, refcountTableOffset, snapshotsOffset, clusterBytes } = this.#image;
    const l1 = this.#entriesAt(l1Offset, view.getUint32(36));
    const blocks = this.#entriesAt(refcountTableOffset, clusterBytes / 8);
    const targetsOf = (entries: readonly number[]): number[] =>
      entries.map((at) => this.#image.target(at)).filter((target) => target !== 0);
    this.#blocks.push(...targetsOf(blocks));
    for (const table of targetsOf(l1)) {
      this.#l2Entries.push(...this.#entriesAt(table, clusterBytes / 8));
    }
    const snapshots = view.getUint32(60) === 0
      ? []
      : [snapshotsOffset, ...this.#entriesAt(this.#image.u64(snapshotsOffset), l1.length)];
    return [...l1, ...l1, ...blocks.slice(0, 8), ...snapshots, ...this.#l2Entries];
  }

  #entriesAt(start: number, count: number): number[] {
    return Array.from({ length: Math.min(count, ENTRIES) }, (_, index) => start + index * 8);
  }

  /** One with some damage. */
  next(random: Random): Bytes {
    const bytes = random.below(3) === 0
      ? mutated(this.#mutable, () => random.below(2 ** 32) / 2 ** 32)
      : this.#image.bytes.slice();
    for (let count = random.below(4); count > 0; count--) this.#damage(bytes, random);
    // What was not closed in order is repaired first, by other rules.
    if (this.#image.view.getUint32(4) > 2) bytes[DIRTY_AT] = (bytes[DIRTY_AT] ?? 0) & ~DIRTY;
    return bytes;
  }

  #damage(bytes: Bytes, random: Random): void {
    const view = new DataView(bytes.buffer);
    const at = oneOf(random.below(2) === 0 ? this.#mutable.entries : this.#l2Entries, random);
    if (at + 8 > bytes.length) return;
    switch (random.below(5)) {
      case 0:
        return view.setBigUint64(at, this.#pointer(random));
      case 1: {
        // Two that refer to the same.
        const other = oneOf(this.#l2Entries, random);
        if (other + 8 <= bytes.length) view.setBigUint64(at, view.getBigUint64(other));
        return;
      }
      case 2:
        return view.setBigUint64(at, view.getBigUint64(at) ^ COPIED);
      case 3:
        return this.#damageCounts(bytes, random);
      default:
        bytes.fill(0, at, Math.min(bytes.length, at + 8 * random.below(16)));
    }
  }

  /** To any cluster of the file, or a little behind it. */
  #pointer(random: Random): bigint {
    const { bytes, clusterBytes } = this.#image;
    const clusters = Math.ceil(bytes.length / clusterBytes);
    // Metadata mostly come first.
    const most = random.below(2) === 0 ? 12 : clusters + 4;
    const offset = BigInt(random.below(most) * clusterBytes);
    const flags = oneOf(FLAGS, random);
    const size = (flags & COMPRESSED) === 0n ? 0n : BigInt(random.below(2 ** 12)) << 50n;
    return offset | flags | size & (COMPRESSED - 1n);
  }

  #damageCounts(bytes: Bytes, random: Random): void {
    const { clusterBytes } = this.#image;
    const block = oneOf(this.#blocks, random);
    const start = block + random.below(Math.min(clusterBytes, 512));
    const end = random.below(4) === 0 ? start + random.below(64) : start + 1;
    bytes.fill(oneOf(COUNTS, random), Math.min(start, bytes.length), Math.min(end, bytes.length));
  }
}

function oneOf<T>(values: readonly T[], random: Random): T {
  const value = values[random.below(values.length)];
  if (value === undefined) throw new Error("nothing to choose from");
  return value;
}
