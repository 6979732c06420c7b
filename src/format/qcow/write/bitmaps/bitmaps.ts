/**
 * Persistent bitmaps that stay valid while the image is written to.
 *
 *     first write   those that have to follow are marked as in use
 *     each write    a bit in memory
 *     end           the bits are added to what the file has, in new places; no longer in use
 *
 * After a crash those are in use that lack bits: nobody takes them for valid.
 *
 * @module
 */
import type { ImageFile } from "../../../../storage/image_file.ts";
import { SystemError } from "../../../../sys/errno.ts";
import type { DiskSize } from "../../disk_size.ts";
import type { Header } from "../../header_types.ts";
import { AUTOCLEAR_BITMAPS } from "../../layout.ts";
import type { Allocator } from "../allocator.ts";
import type { ClusterSet } from "../cluster_set.ts";
import type { HeaderWriter } from "../header_writer.ts";
import { BitmapTables } from "./bitmap_tables.ts";
import { BitmapDirectory, type BitmapEntry, BitmapFlag } from "./directory.ts";
import { DirtyBits } from "./dirty_bits.ts";

/** Bits in memory take no more: with bitmaps for which that is too little, none is kept. */
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;
/** So often it is tried to store them. */
const MOST_TRIES = 3;

export interface BitmapsParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly size: DiskSize;
  readonly headerWriter: HeaderWriter;
  readonly allocator: Allocator;
  /** Clusters that hold metadata. */
  readonly metadata: ClusterSet;
  /** Makes durable what has been changed; {@link SystemError} if that fails. */
  readonly flush: () => void;
}

export class Bitmaps {
  readonly #parts: BitmapsParts;
  readonly #directory: BitmapDirectory;
  /** What has been written to since; undefined if no bitmap has to know. */
  readonly dirty: DirtyBits | undefined;
  /** Those that are marked as in use here, and how the mark was before. */
  readonly #marked: BitmapEntry[] = [];
  /** Their bits, once these are in new places, to which the directory may not lead yet. */
  #stored: BitmapTables | undefined;

  private constructor(parts: BitmapsParts, directory: BitmapDirectory) {
    this.#parts = parts;
    this.#directory = directory;
    const following = directory.entries.filter(isValid).filter(isAuto);
    if (following.length === 0) return;
    const finest = Math.min(...following.map(({ granularityBits }) => granularityBits));
    this.dirty = new DirtyBits(finest, parts.size.bytes);
  }

  /**
   * The bitmaps of an image that is about to be written to, marked accordingly.
   *
   * @returns undefined if there are none that can be kept: the header has to say so
   * @throws {SystemError} if they cannot be marked
   */
  static begin(parts: BitmapsParts): Bitmaps | undefined {
    const { file, header } = parts;
    if ((header.autoclear & AUTOCLEAR_BITMAPS) === 0n) return undefined;
    try {
      const directory = BitmapDirectory.read(file, header.clusterBytes);
      if (directory === undefined || !isAffordable(directory, parts.size.bytes)) return undefined;
      const bitmaps = new Bitmaps(parts, directory);
      bitmaps.#mark(directory.entries.filter(isValid).filter(isAuto));
      return bitmaps;
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  /** Whether some are marked, and will be stored: their places have to stay what they are. */
  get areKept(): boolean {
    return this.#marked.length > 0;
  }

  #mark(entries: readonly BitmapEntry[]): void {
    if (entries.length === 0) return this.#parts.headerWriter.clearUnknownAutoclear();
    for (const entry of entries) {
      this.#directory.setFlags(entry, entry.flags | BitmapFlag.InUse);
      this.#marked.push(entry);
    }
    this.#directory.write(this.#parts.headerWriter);
  }

  /**
   * The disk gets larger: so do all bitmaps, or none is valid any more.
   *
   * @throws {SystemError} if they cannot be marked
   */
  grow(sizeBytes: number): void {
    if (!isAffordable(this.#directory, sizeBytes)) {
      this.#parts.headerWriter.clearAutoclear();
      this.#marked.length = 0;
      return;
    }
    this.#mark(this.#directory.entries.filter(isValid));
    this.dirty?.grow(sizeBytes);
  }

  /**
   * Stores all bits. If there is no room for them, the bitmaps stay in use. Where it fails, it can be
   * called again.
   *
   * @throws {SystemError} if the image cannot be written
   */
  conclude(): void {
    if (this.#marked.length === 0) return;
    this.#stored ??= this.#storeAll();
    if (this.#stored === undefined) return;
    this.#directory.write(this.#parts.headerWriter);
    this.#stored.dropReplaced();
    this.#marked.length = 0;
    this.#parts.flush();
  }

  /** Writes the bits of all to new places; undefined if there is no room, be it tried again. */
  #storeAll(): BitmapTables | undefined {
    for (let tries = 1; tries <= MOST_TRIES; tries++) {
      const tables = new BitmapTables({
        ...this.#parts,
        clusterBytes: this.#parts.header.clusterBytes,
      });
      try {
        for (const entry of this.#marked) this.#store(entry, tables);
        this.#parts.flush();
        return tables;
      } catch (error) {
        const isWanting = error instanceof RangeError || error instanceof SystemError;
        if (!isWanting || this.#parts.file.hasLost) throw error;
        tables.giveBack();
        if (error instanceof RangeError) return undefined;
      }
    }
    return undefined;
  }

  #store(entry: BitmapEntry, tables: BitmapTables): void {
    const dirty = isAuto(entry) ? this.dirty : undefined;
    const { hostOffset, entries } = tables.write(entry, this.#parts.size.bytes, dirty);
    this.#directory.setTable(entry, hostOffset, entries);
    this.#directory.setFlags(entry, entry.flags & ~BitmapFlag.InUse);
  }
}

function isValid({ flags }: BitmapEntry): boolean {
  return (flags & BitmapFlag.InUse) === 0;
}

function isAuto({ flags }: BitmapEntry): boolean {
  return (flags & BitmapFlag.Auto) !== 0;
}

function isAffordable(directory: BitmapDirectory, diskBytes: number): boolean {
  return directory.entries.filter(isAuto).every(({ granularityBits }) =>
    DirtyBits.memoryBytes(granularityBits, diskBytes) <= MAX_MEMORY_BYTES
  );
}
