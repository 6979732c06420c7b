/**
 * What changes an image that has two levels of tables, but no reference counts.
 *
 * Without reference counts there are two levels of updates only: new tables, then what refers to them
 * and to new clusters. Nothing that has been referred to is ever used for something else.
 *
 * @module
 */
import type { SectorCipher } from "../../crypt/sector_cipher.ts";
import { ImageFormatError } from "../../image/errors.ts";
import { Level, type Updates } from "../../image/updates.ts";
import {
  type Cleared,
  ClearOutcome,
  Place,
  type Placement,
  type Tables,
} from "../../image/writing.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { EIO, SystemError } from "../../sys/errno.ts";
import type { Encryption } from "../qcow/encryption.ts";
import type { TableWriting } from "../qcow/image.ts";
import type { L1Table } from "../qcow/l1.ts";
import type { L2Slices, TablePlace } from "../qcow/l2.ts";
import { type Clearing, Entries, NEEDS_TABLE, NO_SLICE } from "./entries.ts";
import { ENTRY_BYTES, type EntryFormat, type UncountedLayout } from "./entry_format.ts";
import { FileEnd } from "./file_end.ts";
import type { MetadataMap } from "./metadata_map.ts";
import { NewTables } from "./new_tables.ts";

/** What the cipher counts. */
const SECTOR_BYTES = 512;
/** What is encrypted at once: that takes memory. */
const MOST_SEALED_BYTES = 256 * 1024;

/** What the header says of whether an image was closed in order, where it says that. */
export interface OpenMark {
  /** Before the first change. What is written is made durable then; throws {@link SystemError} if it cannot be. */
  set(): void;
  /** When all is durable; throws likewise. */
  clear(): void;
}

/** What an image consists of that is to be changed. */
export interface UncountedParts {
  readonly file: ImageFile;
  readonly layout: UncountedLayout;
  readonly format: EntryFormat;
  readonly metadata: MetadataMap;
  readonly mark?: OpenMark;
  /** Cuts off what a writer that was killed has left at the end of the file; throws {@link SystemError}. */
  readonly cutUnusedEnd: () => void;
  readonly l1: L1Table;
  readonly slices: L2Slices;
  readonly hasBacking: boolean;
  readonly encryption: Encryption | undefined;
}

export class UncountedWriting implements TableWriting, Tables {
  readonly files: readonly ImageFile[];
  readonly writers = "one";
  readonly unitBytes: number;
  readonly #parts: UncountedParts;
  readonly #end: FileEnd;
  readonly #newTables: NewTables;
  readonly #entries: Entries;
  readonly #slicesPerByte: number;
  readonly #tablesPerByte: number;
  readonly #mostBytes: number;
  #isOpened = false;
  /** Whether damage has been found. */
  #isDamaged = false;

  /** @param parts an image of which no entry leads out of the file */
  constructor(parts: UncountedParts) {
    const { file, layout, format, l1, slices, metadata, hasBacking, encryption } = parts;
    const { clusterBytes } = layout;
    this.#parts = parts;
    this.files = [file];
    this.unitBytes = clusterBytes;
    const isEncrypted = encryption !== undefined;
    const end = new FileEnd(file, { clusterBytes, reserves: !hasBacking && !isEncrypted });
    this.#end = end;
    this.#newTables = new NewTables({ file, layout, format, l1, end, metadata });
    const entries = { file, format, clusterBytes, slices, end, metadata, hasBacking, isEncrypted };
    this.#entries = new Entries(entries);
    this.#slicesPerByte = 1 / clusterBytes / slices.entries;
    this.#tablesPerByte = ENTRY_BYTES / layout.tableBytes / clusterBytes;
    this.#mostBytes = isEncrypted ? MOST_SEALED_BYTES : Infinity;
  }

  /** It is its own: what it writes is nothing but tables. */
  get tables(): Tables {
    return this;
  }

  get cipher(): SectorCipher | undefined {
    return this.#parts.encryption?.cipher;
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
    const clearing = { guestOffset, lengthBytes: this.#inTable(guestOffset, lengthBytes), to };
    return this.#change(() => {
      const cleared = this.#clear(clearing, placement);
      if (cleared !== NEEDS_TABLE) return cleared;
      this.#newTables.provide(Math.floor(guestOffset * this.#tablesPerByte));
      return this.#clear(clearing, placement);
    });
  }

  #clear(clearing: Clearing, placement: Placement): number {
    const slice = this.#findSlice(placement);
    if (placement.kind === Place.Blocked) return ClearOutcome.Blocked;
    return this.#entries.clear(slice, clearing);
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
    this.#parts.mark?.set();
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

  reclaim(): void {
    this.#parts.cutUnusedEnd();
    this.#end.startAnew();
    this.#open();
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
    if (!this.#isOpened || this.#isClosed) return;
    this.#end.conclude();
    this.#parts.mark?.clear();
  }

  dropCaches(): void {
    this.#end.dropCaches();
  }
}
