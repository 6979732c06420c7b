/**
 * Where an image of version 1 may be written to, whatever it is like: what its own tables allow. It is
 * written from qemu's block/qcow.c alone, and shares no code with what it judges.
 *
 * @module
 */
import type { Step } from "../../qcow/write/recording.ts";

const COMPRESSED = 1n << 63n;
const SECTOR_BYTES = 512;
const WORD_BYTES = 8;

/** The rules for one image, as its bytes are when it is opened. */
export class Version1Rules {
  readonly #view: DataView;
  readonly #fileBytes: number;
  readonly #cluster: number;
  readonly #tableBytes: number;
  readonly #l1: number;
  readonly #l1Bytes: number;
  /** Sectors of L2 tables. */
  readonly #tables = new Set<number>();
  /** Sectors of clusters that an entry leads to. */
  readonly #clusters = new Set<number>();
  /** Sectors that only entries of the L1 table may be written in. */
  readonly #head = new Set<number>();

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    const padded = new Uint8Array(bytes.length + WORD_BYTES);
    padded.set(bytes);
    this.#view = new DataView(padded.buffer);
    this.#fileBytes = bytes.length;
    const size = this.#u64(24);
    const [bits, l2Bits] = [this.#view.getUint8(32), this.#view.getUint8(33)];
    this.#cluster = 2 ** bits;
    this.#tableBytes = 2 ** l2Bits * WORD_BYTES;
    this.#l1 = Number(this.#u64(40));
    this.#l1Bytes = Math.ceil(Number(size) / 2 ** (bits + l2Bits)) * WORD_BYTES;
    add(this.#head, 0, 48);
    const nameOffset = Number(this.#u64(8));
    if (nameOffset !== 0) add(this.#head, nameOffset, this.#view.getUint32(16));
    add(this.#head, this.#l1, this.#l1Bytes);
    this.#findTables();
  }

  #findTables(): void {
    for (let at = this.#l1; at < this.#l1 + this.#l1Bytes; at += WORD_BYTES) {
      const table = Number(this.#u64(at));
      if (table === 0 || table + this.#tableBytes > this.#fileBytes) continue;
      add(this.#tables, table, this.#tableBytes);
      for (let entry = table; entry < table + this.#tableBytes; entry += WORD_BYTES) {
        const place = this.#u64(entry);
        const isNormal = place !== 0n && (place & COMPRESSED) === 0n;
        if (isNormal && place < BigInt(this.#fileBytes)) {
          add(this.#clusters, Number(place), this.#cluster);
        }
      }
    }
  }

  #u64(at: number): bigint {
    return at + WORD_BYTES <= this.#view.byteLength ? this.#view.getBigUint64(at) : 0n;
  }

  /** What is wrong with a step; undefined if nothing is. */
  fault(step: Step): string | undefined {
    if (step.kind === "size") {
      return step.sizeBytes < this.#fileBytes ? "the file is cut off" : undefined;
    }
    const { offset } = step;
    const length = step.kind === "write" ? step.bytes.length : step.length;
    const end = Math.min(offset + length, this.#fileBytes);
    for (let sector = Math.floor(offset / SECTOR_BYTES); sector * SECTOR_BYTES < end; sector++) {
      const what = this.#faultAt(sector, step, offset + length);
      if (what !== undefined) return `${step.kind} of ${length} bytes at ${offset}: ${what}`;
    }
    return undefined;
  }

  #faultAt(sector: number, { kind }: Step, end: number): string | undefined {
    if (this.#head.has(sector)) {
      return kind === "write" && this.#isL1(sector, end) ? undefined : "the head is hit";
    }
    if (this.#tables.has(sector)) return kind === "write" ? undefined : "a table is emptied";
    return this.#clusters.has(sector) ? undefined : "nobody refers to it";
  }

  /** Whether a write that ends so is one of an L1 entry that was 0. */
  #isL1(sector: number, end: number): boolean {
    const at = end - WORD_BYTES;
    const isEntry = at >= this.#l1 && at < this.#l1 + this.#l1Bytes &&
      (at - this.#l1) % WORD_BYTES === 0;
    return isEntry && Math.floor(at / SECTOR_BYTES) === sector && this.#u64(at) === 0n;
  }
}

function add(sectors: Set<number>, start: number, lengthBytes: number): void {
  const end = Math.ceil((start + lengthBytes) / SECTOR_BYTES);
  for (let sector = Math.floor(start / SECTOR_BYTES); sector < end; sector++) sectors.add(sector);
}
