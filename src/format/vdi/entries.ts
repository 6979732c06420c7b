/**
 * Entries of the map.
 *
 * @module
 */
import type { FlatTable } from "../kit/flat_table.ts";
import type { Header } from "./header.ts";
import type { NumberRun } from "./write/block_numbers.ts";
import { ENTRY_BYTES, ENTRY_ZERO } from "./layout.ts";

/** What entries are about. */
export interface EntriesParts {
  readonly header: Header;
  readonly table: FlatTable;
  /** Whether something shows where nothing is stored. */
  readonly hasBacking: boolean;
}

/** Entries by their positions in the table's view. */
export class Entries {
  readonly #parts: EntriesParts;

  constructor(parts: EntriesParts) {
    this.#parts = parts;
  }

  at(position: number): number {
    return this.#parts.table.view.getUint32(position, true);
  }

  set(position: number, entry: number): void {
    this.#parts.table.view.setUint32(position, entry, true);
    this.#parts.table.markDirty(position);
  }

  /**
   * Has blocks be stored behind each other.
   *
   * @param mayWrite whether that may be written down at once
   */
  link(position: number, { first, count }: NumberRun, mayWrite: boolean): void {
    const { view } = this.#parts.table;
    for (let n = 0; n < count; n++) view.setUint32(position + n * ENTRY_BYTES, first + n, true);
    if (mayWrite && this.#parts.table.writeThrough(position, count)) return;
    for (let n = 0; n < count; n++) this.#parts.table.markDirty(position + n * ENTRY_BYTES);
  }

  /** Whether a block that is not stored reads as zeros. */
  isZero(entry: number): boolean {
    return entry === ENTRY_ZERO || !this.#parts.hasBacking;
  }

  /**
   * How many of `lengthBytes` from `guestOffset` on, whose entry is at `position`, are alike: stored behind
   * each other, or not stored and all of one kind.
   */
  runBytes(position: number, guestOffset: number, lengthBytes: number): number {
    const { header: { blockBytes, extraBytes }, table } = this.#parts;
    const inBlock = guestOffset % blockBytes;
    const wanted = Math.ceil((inBlock + lengthBytes) / blockBytes);
    const most = Math.min(wanted, table.inSlice(Math.floor(guestOffset / blockBytes)));
    const first = this.at(position);
    const isStored = first < ENTRY_ZERO;
    let count = 1;
    for (; count < most && !(isStored && extraBytes > 0); count++) {
      if (this.at(position + count * ENTRY_BYTES) !== (isStored ? first + count : first)) break;
    }
    return Math.min(count * blockBytes - inBlock, lengthBytes);
  }
}
