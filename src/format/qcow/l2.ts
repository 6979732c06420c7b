/**
 * L2 tables: where the clusters are. They are read and cached in slices, as qemu does, so that a
 * large cluster size does not make every miss expensive.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { Level, Updates } from "../../image/updates.ts";
import { SectorMarks } from "../kit/sector_marks.ts";
import { TableCache } from "../kit/table_cache.ts";
import { SystemError } from "../../sys/errno.ts";
import { ImageFormatError } from "../../image/errors.ts";
import { FORMAT, hex } from "./errors.ts";
import type { Header } from "./header_types.ts";
import {
  compressedSectorsShift,
  L2_COMPRESSED_HIGH,
  L2_COPIED_HIGH,
  L2_ZERO_LOW,
  OFFSET_MASK_HIGH,
  OFFSET_MASK_LOW,
  SECTOR_BYTES,
} from "./layout.ts";

const MAX_SLICE_BYTES = 4096;
/** The cache is crowded if this fraction of it has been changed: 1/4. */
const CROWDED = 4;

/** What an L2 entry says of its cluster. */
export const Cluster = {
  Unallocated: 0,
  Zero: 1,
  Normal: 2,
  Compressed: 3,
  /** Not a valid entry. */
  Damaged: 4,
} as const;

export type Cluster = typeof Cluster[keyof typeof Cluster];

/**
 * Reads single L2 entries, given as their two halves. Reserved bits are ignored, as in qemu.
 */
export class EntryDecoder {
  readonly #misaligned: number;
  readonly #zeroFlag: number;
  readonly #zeroFlagAllowed: boolean;
  readonly #hasDataFile: boolean;
  /** Bits of the high half that tell a normal cluster from none. */
  readonly #normalHigh: number;
  readonly #sectorsShift: number;
  readonly #sectorsMask: number;
  readonly #compressedOffsetMask: number;

  constructor(header: Pick<Header, "version" | "clusterBits" | "extendedL2" | "hasDataFile">) {
    const { version, clusterBits, extendedL2, hasDataFile } = header;
    this.#hasDataFile = hasDataFile;
    this.#normalHigh = hasDataFile ? OFFSET_MASK_HIGH | L2_COPIED_HIGH : OFFSET_MASK_HIGH;
    this.#zeroFlag = extendedL2 ? 0 : L2_ZERO_LOW;
    this.#misaligned = (2 ** clusterBits - 1) & OFFSET_MASK_LOW;
    this.#zeroFlagAllowed = version >= 3;
    this.#sectorsShift = compressedSectorsShift(clusterBits) - 32;
    this.#sectorsMask = 2 ** (clusterBits - 8) - 1;
    this.#compressedOffsetMask = 2 ** this.#sectorsShift - 1;
  }

  /**
   * Version 2 has no zero flag, and qemu takes one there for damage rather than for a reserved bit;
   * it also wants the offset of a zero cluster to be aligned, though nothing is read there. Extended
   * entries have no zero flag, and there it is just a reserved bit. An external data file has no
   * compressed clusters (specification, "Incompatible features", bit 2).
   */
  kindOf(high: number, low: number): Cluster {
    if ((high & L2_COMPRESSED_HIGH) !== 0) {
      return this.#hasDataFile ? Cluster.Damaged : Cluster.Compressed;
    }
    if ((low & this.#misaligned) !== 0) return Cluster.Damaged;
    if ((low & this.#zeroFlag) !== 0) return this.#zeroFlagAllowed ? Cluster.Zero : Cluster.Damaged;
    const offset = (high & this.#normalHigh) | (low & OFFSET_MASK_LOW);
    return offset === 0 ? Cluster.Unallocated : Cluster.Normal;
  }

  /** Whether an entry says that nobody else uses its cluster. */
  isCopied(high: number): boolean {
    return (high & L2_COPIED_HIGH) !== 0;
  }

  /** Normal: where the cluster starts in the file. */
  hostOffset(high: number, low: number): number {
    return (high & OFFSET_MASK_HIGH) * 2 ** 32 + ((low & OFFSET_MASK_LOW) >>> 0);
  }

  /** Compressed: where the stored bytes start in the file; not aligned to anything. */
  compressedOffset(high: number, low: number): number {
    return (high & this.#compressedOffsetMask) * 2 ** 32 + (low >>> 0);
  }

  /** Compressed: how many bytes may belong to the cluster, up to the end of its last sector. */
  compressedBytes(high: number, low: number): number {
    const sectors = ((high >>> this.#sectorsShift) & this.#sectorsMask) + 1;
    return sectors * SECTOR_BYTES - (low & (SECTOR_BYTES - 1));
  }
}

/** What L2 tables are like, in bytes where nothing else is said. */
export interface TableLayout {
  /** Name of the driver, for errors; QCOW if left out. */
  readonly format?: string;
  /** Size of the disk. */
  readonly sizeBytes: number;
  /** Whether the disk may become larger: the cache then is as large as it may be. */
  readonly mayGrow?: boolean;
  readonly clusterBytes: number;
  /** Size of an entry, as a power of two. */
  readonly l2EntryBits: number;
  readonly tableBytes: number;
  readonly tableAlignmentBytes: number;
}

/** What a slice is loaded for. */
export type Blockable = Pick<Mapping, "attempt" | "setBlocked">;

/** Where an L2 table is in the file, and when what changes in it may be written. */
export interface TablePlace {
  readonly level: Level;
  readonly hostOffset: number;
}

/** The slices of L2 tables that were used last, found by the guest clusters they describe. */
export class L2Slices {
  /** Entries of a slice: a power of two. */
  readonly entries: number;
  /** All cached slices, big-endian as in the file. */
  readonly view: DataView;
  readonly #file: ImageFile;
  readonly #cache: TableCache;
  readonly #slicesPerTable: number;
  readonly #entryBytes: number;
  readonly #entriesPerByte: number;
  readonly #alignmentBytes: number;
  readonly #format: string;
  readonly #marks: SectorMarks;
  readonly #clusterBytes: number;
  /** So many changed slices are too many. */
  #crowd = Infinity;
  /** Whether there was no room for a slice since changed ones were taken last. */
  #isFull = false;

  /** @param cacheBytes upper bound of the memory, though there is always one slice */
  constructor(file: ImageFile, layout: TableLayout, cacheBytes: number) {
    const sliceBytes = Math.min(MAX_SLICE_BYTES, layout.tableBytes);
    this.entries = sliceBytes / 2 ** layout.l2EntryBits;
    this.#slicesPerTable = layout.tableBytes / sliceBytes;
    this.#entryBytes = 2 ** layout.l2EntryBits;
    this.#entriesPerByte = 1 / layout.clusterBytes;
    this.#clusterBytes = layout.clusterBytes;
    const keys = layout.mayGrow ? Infinity : this.#slicesOf(layout.sizeBytes);
    this.#cache = new TableCache(sliceBytes, { cacheBytes, keys });
    this.view = this.#cache.buffer.view;
    this.#file = file;
    this.#format = layout.format ?? FORMAT;
    this.#alignmentBytes = layout.tableAlignmentBytes;
    this.#marks = new SectorMarks(this.#cache);
    this.describe(layout.sizeBytes);
  }

  /** Says how large the disk is that the slices describe. */
  describe(sizeBytes: number): void {
    const slots = Math.floor(this.#cache.buffer.size / this.#cache.slotBytes);
    this.#crowd = slots < this.#slicesOf(sizeBytes) ? Math.ceil(slots / CROWDED) : Infinity;
  }

  #slicesOf(sizeBytes: number): number {
    return Math.ceil(sizeBytes / this.#clusterBytes / this.entries);
  }

  /** Position of slice number `slice` of the disk in {@link L2Slices.view}, or -1. */
  find(slice: number): number {
    return this.#cache.find(slice);
  }

  /**
   * Reads slice number `slice` of the disk, part of the L2 table at `tableOffset`.
   *
   * @returns its position in {@link L2Slices.view}, or -1 where `mapping` now says Blocked
   * @throws {ImageFormatError} if it is not a place where a table can be
   */
  load(slice: number, tableOffset: number, mapping: Blockable): number {
    const sliceBytes = this.#cache.slotBytes;
    const hostOffset = tableOffset + slice % this.#slicesPerTable * sliceBytes;
    this.#checkPlace(tableOffset, hostOffset + sliceBytes);
    const position = this.#cache.take(slice);
    if (position < 0) return this.#blockedByChanges(mapping);
    const { buffer } = this.#cache;
    if (!mapping.attempt.read(this.#file, buffer, position, hostOffset, sliceBytes)) {
      mapping.setBlocked();
      return -1;
    }
    this.#cache.keep(slice, position);
    return position;
  }

  /** Nothing can be read before what has been changed is written. */
  #blockedByChanges(request: Blockable): number {
    this.#isFull = true;
    request.attempt.wantsFlush = true;
    request.setBlocked();
    return -1;
  }

  /** Forgets all of them but what has to be written, and gives their memory back. */
  clear(): void {
    this.#cache.clear();
  }

  /** Says that the entry at `position` of {@link L2Slices.view} has been changed. */
  markDirty(position: number): void {
    this.#marks.mark(position);
  }

  /**
   * Writes entries that have been changed, at `position` of {@link L2Slices.view}, at once: nothing has to
   * be on the disk before them. They lie in one slice, of the table at `tableOffset`.
   *
   * @returns false if that cannot be done now: they have to be marked
   */
  writeThrough(position: number, lengthBytes: number, tableOffset: number): boolean {
    for (let at = position; at < position + lengthBytes; at += SECTOR_BYTES) {
      if (this.#marks.isTaken(at)) return false;
    }
    if (this.#marks.isTaken(position + lengthBytes - 1)) return false;
    const { slotBytes, buffer } = this.#cache;
    const inSlot = position % slotBytes;
    const slice = this.#cache.keyAt(position - inSlot);
    const hostOffset = tableOffset + slice % this.#slicesPerTable * slotBytes + inSlot;
    try {
      this.#file.write(buffer, position, hostOffset, lengthBytes);
      return true;
    } catch (error) {
      if (error instanceof SystemError) return false;
      throw error;
    }
  }

  /** Whether nothing has to be written any more of the entries for a range of the disk. */
  areWritten(guestOffset: number, lengthBytes: number): boolean {
    const end = Math.ceil((guestOffset + lengthBytes) * this.#entriesPerByte);
    const perSector = SECTOR_BYTES / this.#entryBytes;
    let entry = Math.floor(guestOffset * this.#entriesPerByte);
    for (; entry < end; entry = (Math.floor(entry / perSector) + 1) * perSector) {
      const position = this.find(Math.floor(entry / this.entries));
      if (position < 0) continue;
      if (this.#marks.isMarked(position + entry % this.entries * this.#entryBytes)) return false;
    }
    return true;
  }

  get hasDirty(): boolean {
    return this.#marks.dirtySlots > 0;
  }

  /** Whether so many slices have been changed that there may soon be no room for others. */
  get isCrowded(): boolean {
    return this.#isFull || this.#marks.dirtySlots >= this.#crowd;
  }

  /**
   * Adds the sectors that have been changed to `updates`.
   *
   * @param placeOf where the table lies that has a number, and when it may be written
   */
  takeUpdates(updates: Updates, placeOf: (table: number) => TablePlace): void {
    const { slotBytes, buffer } = this.#cache;
    this.#isFull = false;
    this.#marks.take((position, sectors) => {
      const slice = this.#cache.keyAt(position);
      const { level, hostOffset } = placeOf(Math.floor(slice / this.#slicesPerTable));
      const from = hostOffset + slice % this.#slicesPerTable * slotBytes;
      for (let start = 0; start < slotBytes; start += SECTOR_BYTES) {
        if ((sectors >>> start / SECTOR_BYTES & 1) === 0) continue;
        const at = position + start;
        updates.add(level, this.#file, from + start, buffer.bytes.subarray(at, at + SECTOR_BYTES));
      }
    });
  }

  /** Says whether what was taken last is durable. */
  updated(isDurable: boolean): void {
    this.#marks.updated(isDurable);
  }

  #checkPlace(tableOffset: number, sliceEnd: number): void {
    // Asked anew: zeros read past the end of a file that was cut off would look like a table.
    this.#file.refreshSize();
    const { sizeBytes } = this.#file;
    if (tableOffset % this.#alignmentBytes !== 0) {
      throw this.#damaged(`L2 table offset ${hex(tableOffset)} is not aligned`, tableOffset);
    }
    if (sliceEnd > sizeBytes) {
      throw this.#damaged(`the L2 table at ${hex(tableOffset)} is not in the file`, tableOffset);
    }
  }

  #damaged(message: string, hostOffset: number): ImageFormatError {
    return new ImageFormatError(this.#format, this.#file.path, message, hostOffset);
  }
}
