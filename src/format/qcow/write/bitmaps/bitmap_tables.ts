/**
 * The bits of a persistent bitmap in the file (specification, "Bitmap table" and "Bitmap data"): new
 * clusters for what changes, and a new table that names them.
 *
 * @module
 */
import { Attempt } from "../../../../storage/attempt.ts";
import type { ImageFile } from "../../../../storage/image_file.ts";
import { IoBuffer } from "../../../../sys/memory.ts";
import { offsetInEntry } from "../../l1.ts";
import { TABLE_ENTRY_BYTES } from "../../layout.ts";
import type { Allocator } from "../allocator.ts";
import { ClusterRuns } from "../cluster_runs.ts";
import type { ClusterSet } from "../cluster_set.ts";
import type { DirtyBits } from "./dirty_bits.ts";
import type { BitmapEntry } from "./directory.ts";

/** Bit 0 of an entry: all bits are 1, where there is no cluster. */
const ALL_ONES_LOW = 1;
const BYTE_BITS = 8;

export interface TableParts {
  readonly file: ImageFile;
  readonly clusterBytes: number;
  readonly allocator: Allocator;
  /** Clusters that hold metadata. */
  readonly metadata: ClusterSet;
}

/** A table that has been written. */
export interface WrittenTable {
  readonly hostOffset: number;
  readonly entries: number;
}

/** Writes the tables of bitmaps, and keeps account of the clusters. */
export class BitmapTables {
  readonly #parts: TableParts;
  readonly #added = new ClusterRuns();
  readonly #replaced = new ClusterRuns();

  constructor(parts: TableParts) {
    this.#parts = parts;
  }

  /**
   * Writes what a bitmap has, and what has been marked besides, to new places.
   *
   * @param dirty undefined if nothing has been marked that the bitmap is about
   * @throws {RangeError} if its table cannot be right
   * @throws {SystemError} if there is no room
   */
  write(entry: BitmapEntry, diskBytes: number, dirty: DirtyBits | undefined): WrittenTable {
    const { file, clusterBytes, allocator } = this.#parts;
    const partBytes = 2 ** entry.granularityBits;
    const coversBytes = clusterBytes * BYTE_BITS * partBytes;
    const entries = Math.ceil(diskBytes / coversBytes);
    const clusters = Math.ceil(entries * TABLE_ENTRY_BYTES / clusterBytes);
    const table = new IoBuffer(clusters * clusterBytes);
    const oldBytes = entry.tableEntries * TABLE_ENTRY_BYTES;
    this.#refuseOutside(entry.tableOffset, oldBytes);
    file.read(table, 0, entry.tableOffset, Math.min(oldBytes, table.size));
    for (let index = 0; index < entries && dirty !== undefined; index++) {
      this.#update(table.view, { index, coversBytes, partBytes, dirty });
    }
    const first = allocator.allocateRun(clusters);
    this.#added.add(first, clusters);
    file.write(table, 0, first * clusterBytes, table.size);
    this.#replace(entry.tableOffset, oldBytes);
    return { hostOffset: first * clusterBytes, entries };
  }

  /** Has one entry of the table lead to a cluster that has the new bits, too. */
  #update(
    table: DataView,
    { index, coversBytes, partBytes, dirty }: {
      readonly index: number;
      readonly coversBytes: number;
      readonly partBytes: number;
      readonly dirty: DirtyBits;
    },
  ): void {
    const at = index * TABLE_ENTRY_BYTES;
    const oldOffset = offsetInEntry(table, at);
    if (oldOffset === 0 && (table.getUint32(at + 4) & ALL_ONES_LOW) !== 0) return;
    const { file, clusterBytes } = this.#parts;
    const start = index * coversBytes;
    let bits: IoBuffer | undefined;
    dirty.forEach(start, start + coversBytes, (guestOffset) => {
      bits ??= this.#bitsAt(oldOffset);
      const bit = Math.floor((guestOffset - start) / partBytes);
      bits.bytes[bit >>> 3] = (bits.bytes[bit >>> 3] ?? 0) | 1 << (bit & 7);
    });
    if (bits === undefined) return;
    const hostOffset = this.#allocateOne() * clusterBytes;
    file.write(bits, 0, hostOffset, clusterBytes);
    table.setUint32(at, Math.floor(hostOffset / 2 ** 32));
    table.setUint32(at + 4, hostOffset >>> 0);
    if (oldOffset !== 0) this.#replace(oldOffset, clusterBytes);
  }

  #bitsAt(hostOffset: number): IoBuffer {
    const { file, clusterBytes } = this.#parts;
    const bits = new IoBuffer(clusterBytes);
    if (hostOffset === 0) return bits;
    this.#refuseOutside(hostOffset, clusterBytes);
    file.read(bits, 0, hostOffset, clusterBytes);
    return bits;
  }

  #refuseOutside(hostOffset: number, lengthBytes: number): void {
    const { file, clusterBytes } = this.#parts;
    if (hostOffset % clusterBytes === 0 && hostOffset + lengthBytes <= file.sizeBytes) return;
    throw new RangeError("a bitmap lies where none can be");
  }

  #allocateOne(): number {
    const allocation = this.#parts.allocator.allocate(1, new Attempt());
    if (allocation === undefined) throw new Error("a count that nobody waits for");
    this.#added.add(allocation.first, 1);
    return allocation.first;
  }

  #replace(hostOffset: number, lengthBytes: number): void {
    const { clusterBytes } = this.#parts;
    this.#replaced.add(hostOffset / clusterBytes, Math.ceil(lengthBytes / clusterBytes));
  }

  /** Nothing refers to the new places, nor will: they are free again. */
  giveBack(): void {
    const { allocator } = this.#parts;
    for (let run = 0; run < this.#added.runs; run++) {
      allocator.giveBack(this.#added.firstOf(run), this.#added.countOf(run));
    }
  }

  /** Nothing durable refers to the old places any more, and it does to the new ones. */
  dropReplaced(): void {
    const { allocator, clusterBytes, metadata } = this.#parts;
    for (let run = 0; run < this.#added.runs; run++) {
      const first = this.#added.firstOf(run);
      for (let n = 0; n < this.#added.countOf(run); n++) metadata.add(first + n);
    }
    for (let run = 0; run < this.#replaced.runs; run++) {
      allocator.retire(this.#replaced.firstOf(run) * clusterBytes, this.#replaced.countOf(run));
    }
  }
}
