/**
 * L2 tables that are added.
 *
 * @module
 */
import { Level, type Updates } from "../../image/updates.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { SystemError } from "../../sys/errno.ts";
import { IoBuffer } from "../../sys/memory.ts";
import type { L1Table } from "../qcow/l1.ts";
import { ENTRY_BYTES, type EntryFormat, type UncountedLayout } from "./entry_format.ts";
import type { FileEnd } from "./file_end.ts";
import type { MetadataMap } from "./metadata_map.ts";

/** What tables are a part of. */
export interface NewTablesParts {
  readonly file: ImageFile;
  readonly layout: UncountedLayout;
  readonly format: EntryFormat;
  readonly l1: L1Table;
  readonly end: FileEnd;
  readonly metadata: MetadataMap;
}

export class NewTables {
  readonly #parts: NewTablesParts;
  /** Tables that the L1 table on the disk certainly does not refer to. */
  readonly #new = new Set<number>();
  /** Those whose L1 entries have to be written. */
  readonly #unwritten = new Set<number>();
  /** Those whose L1 entries have been taken to be written. */
  #taken: number[] = [];
  readonly #entry = new IoBuffer(ENTRY_BYTES);

  constructor(parts: NewTablesParts) {
    this.#parts = parts;
  }

  /** Whether nothing on the disk refers to a table, as no write of its L1 entry has been begun. */
  isNew(table: number): boolean {
    return this.#new.has(table);
  }

  /**
   * Has there be a table number `table`.
   *
   * @throws {SystemError} if there is no room
   */
  provide(table: number): void {
    const { l1, layout, metadata } = this.#parts;
    if (l1.tableOffset(table) !== 0) return;
    const { first, isCounted } = this.#allocateZeroed();
    const hostOffset = first * layout.clusterBytes;
    metadata.addTable(hostOffset, layout.tableBytes);
    this.#setEntry(table, hostOffset);
    if (isCounted && this.#writeEntry(table)) return;
    if (!isCounted) this.#new.add(table);
    this.#unwritten.add(table);
  }

  /** Tables may be larger than clusters. */
  #allocateZeroed(): { readonly first: number; readonly isCounted: boolean } {
    const { end, layout: { tableBytes, clusterBytes } } = this.#parts;
    const wanted = Math.ceil(tableBytes / clusterBytes);
    const { first, isBlank, isCounted } = end.allocateWhole(wanted);
    if (isBlank) return { first, isCounted };
    try {
      for (let n = 0; n < wanted; n++) end.writeZeros(first + n);
    } catch (error) {
      end.giveBack(first, wanted);
      throw error;
    }
    return { first, isCounted };
  }

  #setEntry(table: number, hostOffset: number): void {
    const { l1, format } = this.#parts;
    format.setPlace(l1.view, table * ENTRY_BYTES, hostOffset);
  }

  #entryOf(table: number): Uint8Array {
    const { buffer, byteOffset } = this.#parts.l1.view;
    return new Uint8Array(buffer, byteOffset + table * ENTRY_BYTES, ENTRY_BYTES);
  }

  /** The table is there, durably, and says nothing yet: it may be referred to at once. False if that fails. */
  #writeEntry(table: number): boolean {
    const { file, layout } = this.#parts;
    this.#entry.bytes.set(this.#entryOf(table));
    try {
      const at = layout.l1Offset + table * ENTRY_BYTES;
      file.write(this.#entry, 0, at, ENTRY_BYTES);
      return true;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return false;
    }
  }

  /** Whether the L1 entry of a table does not have to be written any more. */
  isWritten(table: number): boolean {
    return !this.#unwritten.has(table) && !this.#taken.includes(table);
  }

  get isDirty(): boolean {
    return this.#unwritten.size > 0;
  }

  takeUpdates(updates: Updates): void {
    const { file, layout } = this.#parts;
    this.#taken = [...this.#unwritten];
    this.#unwritten.clear();
    for (const table of this.#taken) {
      const at = layout.l1Offset + table * ENTRY_BYTES;
      updates.add(Level.Tables, file, at, this.#entryOf(table));
    }
  }

  /** After a round that has failed, nobody knows how far it came: the L1 entries may have been written. */
  updated(isDurable: boolean): void {
    for (const table of this.#taken) {
      this.#new.delete(table);
      if (!isDurable) this.#unwritten.add(table);
    }
    this.#taken = [];
  }
}
