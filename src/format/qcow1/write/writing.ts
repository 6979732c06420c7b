/**
 * What changes an image of version 1.
 *
 * Without reference counts there are two levels of updates only: new tables, then what refers to them
 * and to new clusters. Nothing that has been referred to is ever used for something else.
 *
 * @module
 */
import { ImageFormatError } from "../../../image/errors.ts";
import { Level, type Updates } from "../../../image/updates.ts";
import {
  type Cleared,
  ClearOutcome,
  Place,
  type Placement,
  type Tables,
} from "../../../image/writing.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { EIO, SystemError } from "../../../sys/errno.ts";
import type { Encryption } from "../../qcow/encryption.ts";
import type { TableWriting } from "../../qcow/image.ts";
import type { L1Table } from "../../qcow/l1.ts";
import type { L2Slices, TablePlace } from "../../qcow/l2.ts";
import type { Header } from "../header.ts";
import { SECTOR_BYTES, TABLE_ENTRY_BYTES } from "../layout.ts";
import { refuseDanglingEntries } from "./dangling_entries.ts";
import { Entries, NO_SLICE } from "./entries.ts";
import { FileEnd } from "./file_end.ts";
import { MetadataMap } from "./metadata_map.ts";
import { NewTables } from "./new_tables.ts";

/** What is encrypted at once: that takes memory. */
const MOST_SEALED_BYTES = 256 * 1024;

/** What an image consists of that is to be changed. */
export interface WritingParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly l1: L1Table;
  readonly slices: L2Slices;
  readonly hasBacking: boolean;
  readonly encryption: Encryption | undefined;
}

export class Version1Writing implements TableWriting, Tables {
  readonly files: readonly ImageFile[];
  readonly writers = "one";
  readonly unitBytes: number;
  readonly #parts: WritingParts;
  readonly #end: FileEnd;
  readonly #newTables: NewTables;
  readonly #entries: Entries;
  readonly #slicesPerByte: number;
  readonly #tablesPerByte: number;
  readonly #mostBytes: number;
  #isOpened = false;
  /** Whether damage has been found. */
  #isDamaged = false;

  /**
   * @throws {ImageFormatError} if metadata overlap, or an entry leads out of the file
   * @throws {SystemError} if a table cannot be read
   */
  constructor(parts: WritingParts) {
    const { file, header, l1, slices, hasBacking, encryption } = parts;
    const { clusterBytes } = header;
    this.#parts = parts;
    this.files = [file];
    this.unitBytes = clusterBytes;
    const metadata = new MetadataMap(file, header, l1);
    refuseDanglingEntries(file, header, l1);
    const isEncrypted = encryption !== undefined;
    const end = new FileEnd(file, { clusterBytes, reserves: !hasBacking && !isEncrypted });
    this.#end = end;
    this.#newTables = new NewTables({ file, header, l1, end, metadata });
    const entries = { file, clusterBytes, slices, end, metadata, hasBacking, isEncrypted };
    this.#entries = new Entries(entries);
    this.#slicesPerByte = 1 / clusterBytes / slices.entries;
    this.#tablesPerByte = TABLE_ENTRY_BYTES / header.tableBytes / clusterBytes;
    this.#mostBytes = isEncrypted ? MOST_SEALED_BYTES : Infinity;
  }

  /** It is its own: what it writes is nothing but tables. */
  get tables(): Tables {
    return this;
  }

  place(guestOffset: number, lengthBytes: number, placement: Placement): void {
    placement.guestOffset = guestOffset;
    this.#change(() => {
      const slice = this.#findSlice(placement);
      if (placement.kind === Place.Blocked) return;
      const most = Math.min(this.#inTable(guestOffset, lengthBytes), this.#mostBytes);
      this.#entries.place(slice, most, placement);
      if (placement.kind === Place.Direct) this.#seal(placement);
    });
  }

  /** As many bytes as one table describes. */
  #inTable(guestOffset: number, lengthBytes: number): number {
    const table = Math.floor(guestOffset * this.#tablesPerByte);
    return Math.min(lengthBytes, (table + 1) / this.#tablesPerByte - guestOffset);
  }

  /** The slice for a placement: {@link NO_SLICE} if there is no table; perhaps that is Blocked. */
  #findSlice(placement: Placement): number {
    const { guestOffset } = placement;
    placement.kind = Place.Direct;
    const slice = Math.floor(guestOffset * this.#slicesPerByte);
    const position = this.#parts.slices.find(slice);
    if (position >= 0) return position;
    const tableOffset = this.#parts.l1.tableOffset(Math.floor(guestOffset * this.#tablesPerByte));
    if (tableOffset === 0) return NO_SLICE;
    return this.#parts.slices.load(slice, tableOffset, placement);
  }

  reserve(placement: Placement): boolean {
    return this.#change(() => {
      this.#newTables.provide(Math.floor(placement.guestOffset * this.#tablesPerByte));
      this.#findSlice(placement);
      if (placement.kind === Place.Blocked) return false;
      placement.kind = Place.Fresh;
      placement.file = this.#parts.file;
      this.#allocate(placement);
      this.#seal(placement);
      return true;
    });
  }

  #allocate(placement: Placement): void {
    const { guestOffset, headBytes, lengthBytes, tailBytes, readsAsZeros } = placement;
    const wanted = Math.ceil((headBytes + lengthBytes + tailBytes) / this.unitBytes);
    const { first, count, isBlank, isCounted } = this.#end.allocate(wanted);
    placement.hostOffset = first * this.unitBytes + (guestOffset & (this.unitBytes - 1));
    placement.isBlank = isBlank;
    // What is there instead, if the bytes are not, are zeros.
    placement.isCounted = isCounted && readsAsZeros;
    if (count < wanted) placement.lengthBytes = count * this.unitBytes;
  }

  /** The legacy method counts sectors of the disk. */
  #seal(placement: Placement): void {
    const { encryption } = this.#parts;
    placement.cipher = encryption?.cipher;
    if (encryption === undefined) return;
    placement.isBlank = false;
    placement.isCounted = false;
    placement.firstSector = Math.floor(placement.guestOffset / SECTOR_BYTES);
  }

  settle(placement: Placement, isWritten: boolean): void {
    const { guestOffset, hostOffset, headBytes, lengthBytes, tailBytes } = placement;
    if (isWritten) {
      const slice = this.#parts.slices.find(Math.floor(guestOffset * this.#slicesPerByte));
      return this.#entries.link(slice, placement, this.#tableToWrite(guestOffset));
    }
    const count = Math.ceil((headBytes + lengthBytes + tailBytes) / this.unitBytes);
    this.#end.giveBack(Math.floor((hostOffset - headBytes) / this.unitBytes), count);
  }

  /** Where the table is whose entries may be written at once; -1 if nothing refers to it yet. */
  #tableToWrite(guestOffset: number): number {
    const table = Math.floor(guestOffset * this.#tablesPerByte);
    return this.#newTables.isNew(table) ? -1 : this.#parts.l1.tableOffset(table);
  }

  clear(guestOffset: number, lengthBytes: number, to: Cleared, placement: Placement): number {
    placement.guestOffset = guestOffset;
    return this.#change(() => {
      const slice = this.#findSlice(placement);
      if (placement.kind === Place.Blocked) return ClearOutcome.Blocked;
      const inTable = this.#inTable(guestOffset, lengthBytes);
      return this.#entries.clear(slice, { guestOffset, lengthBytes: inTable, to });
    });
  }

  /** Makes a change, if any is still made: not after damage has been found, or something was lost. */
  #change<T>(make: () => T): T {
    this.#open();
    try {
      return make();
    } catch (error) {
      if (error instanceof ImageFormatError) this.#isDamaged = true;
      throw error;
    }
  }

  #open(): void {
    const { file } = this.#parts;
    if (this.#isClosed) throw new SystemError("write", EIO, file.path);
    if (this.#isOpened) return;
    this.#isOpened = true;
    // Before the first change, so that nothing is lost of that, either.
    this.#end.fillReserve();
    if (file.takeUnsynced()) file.sync();
    this.#end.reserveIsDurable();
  }

  /** Whether no change is made any more. */
  get #isClosed(): boolean {
    return this.#isDamaged || this.#parts.file.hasLost;
  }

  isRecorded(guestOffset: number, lengthBytes: number): boolean {
    const end = (guestOffset + lengthBytes) * this.#tablesPerByte;
    for (let table = Math.floor(guestOffset * this.#tablesPerByte); table < end; table++) {
      if (!this.#newTables.isWritten(table)) return false;
    }
    return this.#parts.slices.areWritten(guestOffset, lengthBytes);
  }

  get hasUpdates(): boolean {
    return !this.#parts.file.hasLost &&
      (this.#parts.slices.hasDirty || this.#newTables.isDirty);
  }

  get wantsFlush(): boolean {
    return !this.#parts.file.hasLost && this.#parts.slices.isCrowded;
  }

  get wantsFlushSoon(): boolean {
    return this.#isOpened && !this.#isClosed && this.#end.isReserveLow;
  }

  takeUpdates(updates: Updates): void {
    // A flush is no change.
    if (this.#isOpened && !this.#isClosed) this.#end.fillReserve();
    this.#parts.slices.takeUpdates(updates, this.#placeOfTable);
    this.#newTables.takeUpdates(updates);
  }

  readonly #placeOfTable = (table: number): TablePlace => ({
    level: this.#newTables.isNew(table) ? Level.Counts : Level.Tables,
    hostOffset: this.#parts.l1.tableOffset(table),
  });

  reached(): void {}

  updated(isDurable: boolean): void {
    if (isDurable) this.#end.reserveIsDurable();
    this.#parts.slices.updated(isDurable);
    this.#newTables.updated(isDurable);
  }

  /** What is not used any more stays where it is. */
  freeSome(): boolean {
    return false;
  }

  conclude(): void {
    if (this.#isOpened && !this.#isClosed) this.#end.conclude();
  }

  dropCaches(): void {
    this.#end.dropCaches();
  }
}
