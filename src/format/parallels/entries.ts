/**
 * Entries of the BAT.
 *
 * @module
 */
import type { FlatTable } from "../kit/flat_table.ts";
import type { Header } from "./header.ts";
import { ENTRY_BYTES, ENTRY_FREE } from "./layout.ts";

/** Entries by their positions in the table's view. */
export class Entries {
  readonly #header: Header;
  readonly #table: FlatTable;

  constructor(header: Header, table: FlatTable) {
    this.#header = header;
    this.#table = table;
  }

  at(position: number): number {
    return this.#table.view.getUint32(position, true);
  }

  set(position: number, entry: number): void {
    this.#table.view.setUint32(position, entry, true);
    this.#table.markDirty(position);
  }

  /**
   * How many of `lengthBytes` from `guestOffset` on, whose entry is at `position`, are alike: stored behind
   * each other, or not stored.
   */
  runBytes(position: number, guestOffset: number, lengthBytes: number): number {
    const { clusterBytes, entryUnitBytes } = this.#header;
    const inCluster = guestOffset % clusterBytes;
    const wanted = Math.ceil((inCluster + lengthBytes) / clusterBytes);
    const most = Math.min(wanted, this.#table.inSlice(Math.floor(guestOffset / clusterBytes)));
    const first = this.at(position);
    const step = first === ENTRY_FREE ? 0 : clusterBytes / entryUnitBytes;
    let count = 1;
    while (count < most && this.at(position + count * ENTRY_BYTES) === first + count * step) {
      count++;
    }
    return Math.min(count * clusterBytes - inCluster, lengthBytes);
  }
}
