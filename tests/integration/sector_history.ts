/**
 * What each sector of a disk may hold while many clients change it at once.
 *
 * @module
 */
import type { Op } from "../format/qcow/write/random_ops.ts";

const SECTOR_BYTES = 512;
const ZEROS = -1;
/** {@link stampedBytes} has it in every eight bytes: the write's number, and then the sector's. */
const STAMP = 0x80000000;

/** At first, every sector has what a write with the number 0 leaves. */
export class SectorHistory {
  /** The numbers of writes, or {@link ZEROS}, of which each sector may hold one. */
  readonly #allowed: Set<number>[];
  /** The same, for changes that are under way. */
  readonly #underWay: Set<number>[];
  /** Sectors that are overwritten for sure. */
  readonly #overwritten = new Set<number>();

  constructor(sizeBytes: number) {
    const sectors = { length: sizeBytes / SECTOR_BYTES };
    this.#allowed = Array.from(sectors, () => new Set([0]));
    this.#underWay = Array.from(sectors, () => new Set());
  }

  /** A change is about to be asked for; a write has the number `id`. */
  begin(op: Op, id: number): void {
    if (op.kind === "flush") return;
    const length = op.kind === "write" ? op.bytes.length : op.length;
    for (let at = op.offset; at < op.offset + length; at += SECTOR_BYTES) {
      const sector = at / SECTOR_BYTES;
      this.#underWay[sector]?.add(op.kind === "write" ? id : ZEROS);
      if (op.kind !== "discard") this.#overwritten.add(sector);
    }
  }

  /** All changes that were begun have been answered. */
  endRound(): void {
    for (const [sector, allowed] of this.#allowed.entries()) {
      if (this.#overwritten.has(sector)) allowed.clear();
      for (const id of this.#underWay[sector] ?? []) allowed.add(id);
      this.#underWay[sector]?.clear();
    }
    this.#overwritten.clear();
  }

  /**
   * Looks at what was read.
   *
   * @throws {Error} that says which sector has what it cannot have
   */
  check(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
      const sector = (offset + at) / SECTOR_BYTES;
      const id = idOf(bytes.subarray(at, at + SECTOR_BYTES), sector);
      const isAllowed = id !== undefined &&
        (this.#allowed[sector]?.has(id) || this.#underWay[sector]?.has(id));
      if (!isAllowed) throw new Error(`sector ${sector} has what it cannot have: ${id}`);
    }
  }
}

/** Which write a sector is of; undefined if it is of several, or another sector's. */
function idOf(bytes: Uint8Array, sector: number): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const first = view.getBigUint64(0);
  for (let at = 8; at < bytes.length; at += 8) {
    if (view.getBigUint64(at) !== first) return undefined;
  }
  if (first === 0n) return ZEROS;
  return view.getUint32(4) === sector ? view.getUint32(0) - STAMP : undefined;
}
