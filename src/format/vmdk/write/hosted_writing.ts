/**
 * What changes a hosted sparse extent.
 *
 * All entries are of one level: what they refer to is durable before. The copies of tables are written beside
 * the tables; after a crash in between they may differ, and nobody reads them but who repairs an image.
 *
 * @module
 */
import type { MemoryLimit } from "../../../image/driver.ts";
import { Level, type Updates } from "../../../image/updates.ts";
import {
  Cleared,
  ClearOutcome,
  Place,
  type Placement,
  type Tables,
  type Writing,
} from "../../../image/writing.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { EIO, SystemError } from "../../../sys/errno.ts";
import { clearRange } from "../../kit/clear_range.ts";
import { SECTOR_BYTES, SectorMarks } from "../../kit/sector_marks.ts";
import { unsupported } from "../errors.ts";
import { GrainEntries } from "../extents/grain_entries.ts";
import { ENTRY_BYTES, ENTRY_ZERO } from "../layout.ts";
import { GrainPlaces } from "./grain_places.ts";
import type { HostedParts } from "./metadata_ranges.ts";
import { grainPhase, renewCopies, storedEnd } from "./stored_grains.ts";
import { UncleanFlag } from "./unclean_flag.ts";

/** The cache is crowded if this fraction of it has been changed: 1/4. */
const CROWDED = 4;

/** How an extent is written to. */
export interface HostedWritingOptions {
  /** Whether something shows where nothing is stored. */
  readonly hasBacking: boolean;
  readonly memory: MemoryLimit | undefined;
  /** Is told before each change of the image. */
  readonly begin: () => void;
}

export class HostedWriting implements Writing, Tables {
  readonly files: readonly ImageFile[];
  readonly writers = "one";
  readonly unitBytes: number;
  readonly #parts: HostedParts;
  readonly #entries: GrainEntries;
  readonly #places: GrainPlaces;
  readonly #flag: UncleanFlag;
  readonly #marks: SectorMarks;
  readonly #hasBacking: boolean;
  readonly #begin: () => void;
  /** What one table is about. */
  readonly #tableSpan: number;
  /** So many changed tables are too many. */
  readonly #crowd: number;

  /**
   * @throws {ImageFormatError} if the tables are damaged
   * @throws {UnsupportedFeatureError} if it can only be read
   * @throws {SystemError} if a table cannot be read
   */
  constructor(parts: HostedParts, { hasBacking, memory, begin }: HostedWritingOptions) {
    const { file, header, directory, tables } = parts;
    if (header.obstacle !== undefined) {
      throw unsupported(file.path, `${header.obstacle}, when they are written to,`);
    }
    this.files = [file];
    this.unitBytes = header.grainBytes;
    this.#parts = parts;
    this.#entries = new GrainEntries(tables.view, header);
    this.#places = new GrainPlaces(file, header.grainBytes, grainPhase(parts, memory));
    this.#flag = new UncleanFlag(file);
    this.#marks = new SectorMarks(tables.cache);
    this.#hasBacking = hasBacking;
    this.#begin = begin;
    this.#tableSpan = header.tableEntries * header.grainBytes;
    const slots = Math.floor(tables.cache.buffer.size / tables.cache.slotBytes);
    this.#crowd = slots < directory.count ? Math.ceil(slots / CROWDED) : Infinity;
  }

  /** It is its own: what it writes is nothing but tables and the header. */
  get tables(): Tables {
    return this;
  }

  place(guestOffset: number, lengthBytes: number, placement: Placement): void {
    this.#open();
    placement.guestOffset = guestOffset;
    const at = this.#find(placement);
    if (at < 0) return;
    const inTable = guestOffset % this.#tableSpan;
    const inGrain = guestOffset % this.unitBytes;
    const entry = this.#entries.at(at);
    const runBytes = this.#runBytes(at, inTable, lengthBytes);
    if (this.#entries.isStored(entry)) {
      const { file } = this.#parts;
      return placement.setDirect(file, this.#entries.hostOffset(entry) + inGrain, runBytes);
    }
    placement.readsAsZeros = this.#readsAsZeros(entry);
    placement.setFreshUnits(inGrain, runBytes, this.unitBytes);
  }

  /** Position of the entry that a placement begins with; negative if it is Blocked. */
  #find(placement: Placement): number {
    const { guestOffset } = placement;
    placement.kind = Place.Direct;
    const table = this.#parts.tables.find(Math.floor(guestOffset / this.#tableSpan), placement);
    return table < 0 ? table : this.#entries.position(table, guestOffset % this.#tableSpan);
  }

  #runBytes(at: number, inTable: number, lengthBytes: number): number {
    return this.#entries.runBytes(at, inTable, Math.min(lengthBytes, this.#tableSpan - inTable));
  }

  #readsAsZeros(entry: number): boolean {
    return this.#entries.isZero(entry) || !this.#hasBacking;
  }

  reserve(placement: Placement): boolean {
    this.#open();
    if (this.#find(placement) < 0) return false;
    const { isBlank } = this.#places;
    const start = this.#places.take(this.#countOf(placement));
    placement.kind = Place.Fresh;
    placement.file = this.#parts.file;
    placement.hostOffset = start + placement.headBytes;
    placement.isBlank = isBlank;
    placement.isCounted = false;
    return true;
  }

  /** How many grains it is about. */
  #countOf({ headBytes, lengthBytes, tailBytes }: Placement): number {
    return Math.ceil((headBytes + lengthBytes + tailBytes) / this.unitBytes);
  }

  settle(placement: Placement, isWritten: boolean): void {
    const start = placement.hostOffset - placement.headBytes;
    const count = this.#countOf(placement);
    if (!isWritten) return this.#places.giveBack(start, count);
    const at = this.#find(placement);
    placement.kind = Place.Fresh;
    for (let n = 0; n < count; n++) {
      this.#set(at + n * ENTRY_BYTES, (start + n * this.unitBytes) / SECTOR_BYTES);
    }
  }

  #set(position: number, entry: number): void {
    this.#entries.set(position, entry);
    this.#marks.mark(position);
  }

  clear(guestOffset: number, lengthBytes: number, to: Cleared, placement: Placement): number {
    this.#open();
    placement.guestOffset = guestOffset;
    const at = this.#find(placement);
    if (at < 0) return ClearOutcome.Blocked;
    if (to === Cleared.Nothing) return ClearOutcome.Unable;
    const entry = this.#entries.at(at);
    const runBytes = this.#runBytes(at, guestOffset % this.#tableSpan, lengthBytes);
    if (this.#entries.isStored(entry)) return this.#clearStored(entry, runBytes, to);
    if (this.#readsAsZeros(entry) || to === Cleared.Discarded) return runBytes;
    if (!this.#parts.header.hasZeroGrains) return ClearOutcome.Unable;
    const count = Math.ceil(runBytes / this.unitBytes);
    for (let n = 0; n < count; n++) this.#set(at + n * ENTRY_BYTES, ENTRY_ZERO);
    return runBytes;
  }

  /** What is stored stays so: places of grains are not given out again. */
  #clearStored(entry: number, runBytes: number, to: Cleared): number {
    const { file } = this.#parts;
    const hostOffset = this.#entries.hostOffset(entry);
    const wholeBytes = Math.ceil(runBytes / this.unitBytes) * this.unitBytes;
    const lengthBytes = Math.min(wholeBytes, file.sizeBytes - hostOffset);
    return clearRange(file, to, { hostOffset, lengthBytes }) ? runBytes : ClearOutcome.Unable;
  }

  /** @throws {SystemError} if something was lost, or the extent cannot be changed */
  #open(): void {
    const { file } = this.#parts;
    if (file.hasLost) throw new SystemError("write", EIO, file.path);
    this.#begin();
    this.#flag.set();
  }

  /** Grains that were given out in vain are so once more, and the copies of tables are what those are. */
  reclaim(): void {
    this.#open();
    this.#places.startBehind(storedEnd(this.#parts));
    renewCopies(this.#parts);
    this.#flag.takeOver();
  }

  isRecorded(guestOffset: number, lengthBytes: number): boolean {
    const end = guestOffset + lengthBytes;
    const { cache } = this.#parts.tables;
    for (let at = guestOffset - guestOffset % this.unitBytes; at < end; at += this.unitBytes) {
      const slot = cache.find(Math.floor(at / this.#tableSpan));
      if (slot < 0) continue;
      if (this.#marks.isMarked(this.#entries.position(slot, at % this.#tableSpan))) return false;
    }
    return true;
  }

  get hasUpdates(): boolean {
    return !this.#parts.file.hasLost && this.#marks.dirtySlots > 0;
  }

  get wantsFlush(): boolean {
    const { file, tables } = this.#parts;
    return !file.hasLost && (tables.isFull || this.#marks.dirtySlots >= this.#crowd);
  }

  /** Nothing can be written at once that refers to new grains. */
  get wantsFlushSoon(): boolean {
    return false;
  }

  takeUpdates(updates: Updates): void {
    const { file, header, directory, tables, copies } = this.#parts;
    const { bytes } = tables.cache.buffer;
    const tableBytes = header.tableEntries * ENTRY_BYTES;
    tables.makeRoom();
    this.#marks.take((position, sectors) => {
      const table = tables.cache.keyAt(position);
      for (let start = 0; start < tableBytes; start += SECTOR_BYTES) {
        if ((sectors >>> start / SECTOR_BYTES & 1) === 0) continue;
        const end = Math.min(start + SECTOR_BYTES, tableBytes);
        const changed = bytes.subarray(position + start, position + end);
        updates.add(Level.Tables, file, directory.hostOffset(table) + start, changed);
        if (copies === undefined) continue;
        updates.add(Level.Tables, file, copies.hostOffset(table) + start, changed);
      }
    });
  }

  reached(): void {}

  updated(isDurable: boolean): void {
    this.#marks.updated(isDurable);
  }

  freeSome(): boolean {
    return false;
  }

  /** What was given out in vain is cut off. */
  conclude(): void {
    if (this.#parts.file.hasLost) return;
    this.#places.cutOff();
    this.#flag.restore();
  }
}
