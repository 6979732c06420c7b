/**
 * What changes an image of version 2 or 3.
 *
 * All changes of tables are made in memory, and reach the disk as updates. Whatever else is written is
 * referred to by nothing on the disk: clusters that are new, the content of new tables, holes in what
 * has become free.
 *
 * @module
 */
import type { SectorCipher } from "../../../crypt/sector_cipher.ts";
import type { Level, Updates } from "../../../image/updates.ts";
import {
  Cleared,
  ClearOutcome,
  type Growth,
  Place,
  type Placement,
  type Snapshots,
  type Tables,
  type Writing,
} from "../../../image/writing.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { ENOSPC, SystemError } from "../../../sys/errno.ts";
import type { DiskSize } from "../disk_size.ts";
import type { Encryption } from "../encryption.ts";
import type { Header } from "../header_types.ts";
import type { L1Table } from "../l1.ts";
import type { L2Slices } from "../l2.ts";
import { SECTOR_BYTES } from "../layout.ts";
import type { RelatedPlaces } from "../names.ts";
import type { Allocation } from "./allocation.ts";
import { Allocator } from "./allocator.ts";
import type { DirtyBits } from "./bitmaps/dirty_bits.ts";
import { DataFile } from "./data_file.ts";
import { type EntryWriter, NO_SLICE } from "./entry_writer.ts";
import { ExtendedEntries } from "./extended_entries.ts";
import { QcowGrowth } from "./growth.ts";
import { HeaderWriter } from "./header_writer.ts";
import { LiveSnapshots } from "./live_snapshots.ts";
import { findMetadata } from "./metadata_map.ts";
import { reclaim } from "./reclaim.ts";
import { Refcounts } from "./refcounts.ts";
import { SharedClusters } from "./shared_clusters.ts";
import { StandardEntries } from "./standard_entries.ts";
import { OwnTables } from "./own_tables.ts";
import { TableUpdates } from "./table_updates.ts";
import { WrittenImage } from "./written_image.ts";

/** What is encrypted at once, but for a cluster: that takes memory. */
const MOST_SEALED_BYTES = 256 * 1024;

export interface WritingParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly size: DiskSize;
  readonly l1: L1Table;
  readonly slices: L2Slices;
  readonly related: RelatedPlaces;
  readonly encryption: Encryption | undefined;
  /** Whether what is freed is given back to the file system. */
  readonly punches: boolean;
}

export class QcowWriting implements Writing, Tables {
  readonly files: readonly ImageFile[];
  readonly isReadPlainly: boolean;
  readonly writers = "one";
  readonly growth: Growth;
  readonly snapshots: Snapshots;
  readonly unitBytes: number;
  readonly #parts: WritingParts;
  readonly #clusterBytes: number;
  readonly #allocator: Allocator;
  readonly #tables: OwnTables;
  readonly #entries: EntryWriter;
  readonly #dataFile: DataFile | undefined;
  readonly #image: WrittenImage;
  readonly #updates: TableUpdates;
  /** What one placement may be about. */
  readonly #mostBytes: number;
  readonly #slicesPerByte: number;
  readonly #tablesPerByte: number;
  /**
   * @throws {ImageFormatError} if metadata overlap
   * @throws {SystemError} if the file cannot be read
   */
  constructor(parts: WritingParts) {
    const { file, header, related, slices, l1 } = parts;
    const { dataFile } = related;
    this.#parts = parts;
    this.files = filesOf(parts);
    this.isReadPlainly = dataFile !== undefined;
    this.#clusterBytes = header.clusterBytes;
    const refcounts = new Refcounts(file, header);
    const metadata = findMetadata(file, header, refcounts);
    this.#allocator = new Allocator(file, { header, refcounts, metadata, punches: parts.punches });
    const allocator = this.#allocator;
    this.#tables = new OwnTables({
      file,
      header,
      l1,
      slices,
      allocator,
      metadata: metadata.clusters,
    });
    const Entries = header.extendedL2 ? ExtendedEntries : StandardEntries;
    const hasBacking = related.backing !== undefined;
    const shared = header.snapshots.entries === 0
      ? new SharedClusters({ file, header, l1, refcounts })
      : undefined;
    this.#entries = new Entries({
      header,
      slices,
      file,
      dataFile,
      hasBacking,
      allocator,
      metadata: metadata.clusters,
      shared,
    });
    this.unitBytes = this.#entries.unitBytes;
    this.#dataFile = dataFile === undefined ? undefined : new DataFile(dataFile);
    this.#updates = new TableUpdates({
      file,
      dataFile,
      l1,
      slices,
      allocator,
      tables: this.#tables,
    });
    const headerWriter = new HeaderWriter(file, header);
    const image = new WrittenImage({
      ...parts,
      headerWriter,
      allocator,
      metadata: metadata.clusters,
      shared,
      updates: this.#updates,
    });
    this.#image = image;
    this.growth = new QcowGrowth({
      ...parts,
      allocator,
      metadata: metadata.clusters,
      headerWriter,
      dataFile: this.#dataFile,
      open: (sizeBytes) => image.grow(sizeBytes),
    });
    this.snapshots = new LiveSnapshots({
      ...parts,
      allocator,
      refuseUnsaid: () => image.refuseUnsaid(),
    });
    const sealedBytes = Math.max(MOST_SEALED_BYTES, header.clusterBytes);
    this.#mostBytes = parts.encryption === undefined ? Infinity : sealedBytes;
    this.#slicesPerByte = 1 / header.clusterBytes / slices.entries;
    this.#tablesPerByte = 2 ** header.l2EntryBits / header.clusterBytes ** 2;
  }

  /** It is its own: what it writes is nothing but tables. */
  get tables(): Tables {
    return this;
  }

  get cipher(): SectorCipher | undefined {
    return this.#parts.encryption?.cipher;
  }

  place(guestOffset: number, lengthBytes: number, placement: Placement): void {
    this.#image.open();
    placement.guestOffset = guestOffset;
    try {
      this.#place(lengthBytes, placement);
      if (this.#image.dirty !== undefined) this.#markPlaced(this.#image.dirty, placement);
    } catch (error) {
      throw this.#image.failed(error);
    }
  }

  #markPlaced(dirty: DirtyBits, { kind, guestOffset, lengthBytes }: Placement): void {
    if (kind !== Place.Blocked) dirty.mark(guestOffset, lengthBytes);
  }

  #place(lengthBytes: number, placement: Placement): void {
    const { guestOffset } = placement;
    const table = Math.floor(guestOffset * this.#tablesPerByte);
    const slice = this.#findSlice(table, placement);
    if (placement.kind === Place.Blocked) return;
    const tableEnd = (table + 1) / this.#tablesPerByte;
    const most = Math.min(lengthBytes, tableEnd - guestOffset, this.#mostBytes);
    this.#entries.place(slice, this.#tables.isOwn(table), most, placement);
    if (placement.kind === Place.Direct) this.#seal(placement);
  }

  /** The slice for a placement: {@link NO_SLICE} if there is no table; perhaps that is Blocked. */
  #findSlice(table: number, placement: Placement): number {
    placement.kind = Place.Direct;
    const slice = Math.floor(placement.guestOffset * this.#slicesPerByte);
    const position = this.#parts.slices.find(slice);
    if (position >= 0) return position;
    const tableOffset = this.#parts.l1.tableOffset(table);
    if (tableOffset === 0) return NO_SLICE;
    return this.#parts.slices.load(slice, tableOffset, placement);
  }

  reserve(placement: Placement): boolean {
    try {
      return this.#reserve(placement);
    } catch (error) {
      throw this.#image.failed(error);
    }
  }

  #reserve(placement: Placement): boolean {
    if (!this.#haveOwnSlice(placement)) return false;
    const { file } = this.#parts;
    if (!this.#takeRoom(placement)) return false;
    placement.kind = Place.Fresh;
    placement.file = file;
    if (this.#dataFile !== undefined) this.#dataFile.reserve(placement);
    else if (!placement.hasPlace && !this.#allocate(placement)) return false;
    this.#seal(placement);
    return true;
  }

  /** What has been freed may not have been given back yet, or be free only once that is in the tables. */
  #takeRoom(placement: Placement): boolean {
    const { headBytes, lengthBytes, tailBytes } = placement;
    const { file } = this.#parts;
    const bytes = headBytes + lengthBytes + tailBytes;
    while (!file.takeRoom(bytes)) {
      if (this.#allocator.freeSome() || file.takeRoom(bytes)) continue;
      if (this.#allocator.waiting === 0) throw new SystemError("write", ENOSPC, file.path);
      placement.attempt.wantsFlush = true;
      placement.setBlocked();
      return false;
    }
    return true;
  }

  /** Has the slice for a placement be in memory, of a table that nobody else uses. */
  #haveOwnSlice(placement: Placement): boolean {
    const table = Math.floor(placement.guestOffset * this.#tablesPerByte);
    if (!this.#tables.own(table, placement.attempt)) return false;
    this.#findSlice(table, placement);
    return placement.kind !== Place.Blocked;
  }

  #allocate(placement: Placement): boolean {
    const { guestOffset, headBytes, lengthBytes, tailBytes } = placement;
    const wanted = Math.ceil((headBytes + lengthBytes + tailBytes) / this.#clusterBytes);
    const allocation = this.#allocateFor(placement, wanted);
    if (allocation === undefined) return false;
    const { first, count, isBlank, isCounted } = allocation;
    placement.isCounted = isCounted;
    const inCluster = guestOffset & (this.#clusterBytes - 1);
    placement.hostOffset = first * this.#clusterBytes + inCluster;
    placement.isBlank = isBlank;
    if (count < wanted) placement.lengthBytes = count * this.#clusterBytes;
    return true;
  }

  /** What reads as zeros may be written out of order: zeros are what it then is at worst. */
  #allocateFor({ readsAsZeros, attempt }: Placement, wanted: number): Allocation | undefined {
    const reserved = readsAsZeros && this.#parts.encryption === undefined
      ? this.#allocator.allocateReserved(wanted)
      : undefined;
    return reserved ?? this.#allocator.allocate(wanted, attempt);
  }

  #seal(placement: Placement): void {
    const { encryption } = this.#parts;
    placement.cipher = encryption?.cipher;
    if (encryption === undefined) return;
    placement.isBlank = false;
    const from = encryption.countsHostOffsets ? placement.hostOffset : placement.guestOffset;
    placement.firstSector = Math.floor(from / SECTOR_BYTES);
  }

  settle(placement: Placement, isWritten: boolean): void {
    const { guestOffset, hasPlace, hostOffset, headBytes, lengthBytes, tailBytes } = placement;
    if (isWritten) {
      const slice = this.#parts.slices.find(Math.floor(guestOffset * this.#slicesPerByte));
      return this.#entries.link(slice, placement, this.#tableToWrite(guestOffset));
    }
    if (hasPlace || this.#dataFile !== undefined) return;
    const first = Math.floor((hostOffset - headBytes) / this.#clusterBytes);
    const bytes = headBytes + lengthBytes + tailBytes;
    this.#allocator.giveBack(first, Math.ceil(bytes / this.#clusterBytes));
  }

  /** Where the table is whose entries may be written at once; -1 if nothing refers to it yet. */
  #tableToWrite(guestOffset: number): number {
    const table = Math.floor(guestOffset * this.#tablesPerByte);
    return this.#tables.isNew(table) ? -1 : this.#parts.l1.tableOffset(table);
  }

  clear(guestOffset: number, lengthBytes: number, to: Cleared, placement: Placement): number {
    this.#image.open();
    placement.guestOffset = guestOffset;
    try {
      const bytes = this.#clear(lengthBytes, to, placement);
      if (bytes > 0) this.#image.dirty?.mark(guestOffset, bytes);
      return bytes;
    } catch (error) {
      throw this.#image.failed(error);
    }
  }

  #clear(lengthBytes: number, to: Cleared, placement: Placement): number {
    const { guestOffset } = placement;
    const { header, l1, related, slices } = this.#parts;
    const hasBacking = related.backing !== undefined;
    if (header.version < 3 && hasBacking) return ClearOutcome.Unable;
    const table = Math.floor(guestOffset * this.#tablesPerByte);
    const tableEnd = (table + 1) / this.#tablesPerByte;
    const most = Math.min(lengthBytes, tableEnd - guestOffset);
    if (l1.tableOffset(table) === 0 && (!hasBacking || to === Cleared.Nothing)) {
      return this.#clearData(guestOffset, most, to);
    }
    if (!this.#haveOwnSlice(placement)) return ClearOutcome.Blocked;
    const slice = slices.find(Math.floor(guestOffset * this.#slicesPerByte));
    const tableOffset = this.#tableToWrite(guestOffset);
    const wanted = { guestOffset, lengthBytes: most, to, tableOffset };
    const bytes = this.#entries.clearableBytes(slice, wanted);
    if (bytes === 0) return ClearOutcome.Unable;
    // First what can fail.
    this.#clearData(guestOffset, bytes, to);
    this.#entries.clear(slice, { ...wanted, lengthBytes: bytes });
    return bytes;
  }

  /** What is said to be nowhere has to stay where it was until that is durable. */
  #clearData(guestOffset: number, lengthBytes: number, to: Cleared): number {
    if (to !== Cleared.Nothing) this.#dataFile?.clear(guestOffset, lengthBytes);
    return lengthBytes;
  }

  isRecorded(guestOffset: number, lengthBytes: number): boolean {
    const end = (guestOffset + lengthBytes) * this.#tablesPerByte;
    for (let table = Math.floor(guestOffset * this.#tablesPerByte); table < end; table++) {
      if (!this.#tables.isWritten(table)) return false;
    }
    return this.#parts.slices.areWritten(guestOffset, lengthBytes);
  }

  get hasUpdates(): boolean {
    return !this.#updates.hasLost && this.#updates.hasAny;
  }

  get wantsFlush(): boolean {
    return !this.#updates.hasLost && this.#updates.areMany;
  }

  get wantsFlushSoon(): boolean {
    return this.#image.isChanging && this.#allocator.isReserveLow;
  }

  takeUpdates(updates: Updates): void {
    this.#image.takeUpdates(updates);
  }

  reached(level: Level): void {
    this.#updates.reached(level);
  }

  updated(isDurable: boolean): void {
    this.#updates.updated(isDurable);
  }

  freeSome(): boolean {
    return this.#image.freeSome();
  }

  reclaim(): void {
    if (!this.#parts.file.isTemporary) reclaim({ ...this.#parts, allocator: this.#allocator });
  }

  conclude(): void {
    this.#image.conclude();
  }

  dropCaches(): void {
    this.#allocator.dropCaches();
  }
}

/** What a flush has to make durable. */
function filesOf({ file, related: { dataFile } }: WritingParts): readonly ImageFile[] {
  if (file.isTemporary) return [];
  return dataFile === undefined ? [file] : [dataFile, file];
}
