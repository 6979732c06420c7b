/**
 * Entries of grain tables.
 *
 * @module
 */
import { ENTRY_BYTES, ENTRY_NONE, ENTRY_ZERO, SECTOR_BYTES } from "../layout.ts";
import type { HostedHeader } from "./hosted_header.ts";

/** Entries by their positions in the view of all tables. */
export class GrainEntries {
  readonly #view: DataView;
  readonly #grainBytes: number;
  readonly #grainSectors: number;
  readonly #hasZeroGrains: boolean;

  constructor(
    view: DataView,
    { grainBytes, hasZeroGrains }: Pick<HostedHeader, "grainBytes" | "hasZeroGrains">,
  ) {
    this.#view = view;
    this.#grainBytes = grainBytes;
    this.#grainSectors = grainBytes / SECTOR_BYTES;
    this.#hasZeroGrains = hasZeroGrains;
  }

  /** Of the entry for the byte at `inTable`, counted from where the part of the table begins that is at `table`. */
  position(table: number, inTable: number): number {
    return table + Math.floor(inTable / this.#grainBytes) * ENTRY_BYTES;
  }

  at(position: number): number {
    return this.#view.getUint32(position, true);
  }

  set(position: number, entry: number): void {
    this.#view.setUint32(position, entry, true);
  }

  /** Where a grain is that is stored. */
  hostOffset(entry: number): number {
    return entry * SECTOR_BYTES;
  }

  /** Whether an entry says that its grain reads as zeros, whatever lies below. */
  isZero(entry: number): boolean {
    return entry === ENTRY_ZERO && this.#hasZeroGrains;
  }

  /** Whether an entry says where a grain is stored. */
  isStored(entry: number): boolean {
    return entry !== ENTRY_NONE && !this.isZero(entry);
  }

  /**
   * How many of `lengthBytes` from `inTable` on, whose entry is at `position`, are alike: stored behind each
   * other, or not stored and all of one kind. All of them are of one table.
   */
  runBytes(position: number, inTable: number, lengthBytes: number): number {
    const inGrain = inTable % this.#grainBytes;
    const most = Math.ceil((inGrain + lengthBytes) / this.#grainBytes);
    const first = this.at(position);
    const step = this.isStored(first) ? this.#grainSectors : 0;
    let count = 1;
    while (count < most && this.at(position + count * ENTRY_BYTES) === first + count * step) {
      count++;
    }
    return Math.min(count * this.#grainBytes - inGrain, lengthBytes);
  }
}
