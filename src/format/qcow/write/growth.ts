/**
 * Making the disk larger. Each step is a write of the header, which no crash can tear:
 *
 *     1. an L1 table that is long enough ── durable ── header: where it is ── the old one is free
 *     2. what is behind the disk's end is zeros (others do that) ── durable
 *     3. header: the size
 *
 * @module
 */
import type { Growth } from "../../../image/writing.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import type { DiskSize } from "../disk_size.ts";
import { readHeader } from "../header.ts";
import type { Header } from "../header_types.ts";
import type { L1Table } from "../l1.ts";
import type { L2Slices } from "../l2.ts";
import { MAX_L1_BYTES, SECTOR_BYTES, TABLE_ENTRY_BYTES } from "../layout.ts";
import type { Allocator } from "./allocator.ts";
import type { ClusterSet } from "./cluster_set.ts";
import type { DataFile } from "./data_file.ts";
import type { HeaderWriter } from "./header_writer.ts";

export interface GrowthParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly size: DiskSize;
  readonly l1: L1Table;
  readonly slices: L2Slices;
  readonly allocator: Allocator;
  /** Clusters that hold metadata. */
  readonly metadata: ClusterSet;
  readonly headerWriter: HeaderWriter;
  readonly dataFile: DataFile | undefined;
  /** Says that the image is about to be changed, and how large its disk is to be. */
  readonly open: (sizeBytes: number) => void;
}

export class QcowGrowth implements Growth {
  readonly #parts: GrowthParts;
  readonly #tableCoversBytes: number;
  /** Entries of the table in the file; those in memory are as many as the disk needs. */
  #l1Entries: number;
  #sizeBytes = 0;

  constructor(parts: GrowthParts) {
    this.#parts = parts;
    const { clusterBytes, l2EntryBits, l1AllEntries } = parts.header;
    this.#tableCoversBytes = clusterBytes ** 2 / 2 ** l2EntryBits;
    this.#l1Entries = l1AllEntries;
  }

  prepare(sizeBytes: number, flush: () => void): void {
    const { l1, slices, size, dataFile, open } = this.#parts;
    this.#refuse(sizeBytes);
    open(sizeBytes);
    flush();
    const entries = Math.ceil(sizeBytes / this.#tableCoversBytes);
    if (entries > this.#l1Entries) this.#moveTable(entries, flush);
    else l1.replace(l1.hostOffset, this.#readTable(entries * TABLE_ENTRY_BYTES), entries);
    slices.describe(sizeBytes);
    dataFile?.grow(size.bytes, sizeBytes);
    this.#sizeBytes = sizeBytes;
  }

  /** As qemu: snapshots of version 2 do not say how large their disks are. */
  #refuse(sizeBytes: number): void {
    const { file, header: { version } } = this.#parts;
    if (sizeBytes % SECTOR_BYTES !== 0) {
      throw new RangeError(`the size has to be a multiple of ${SECTOR_BYTES} bytes`);
    }
    // They may have been made since it was opened.
    if (version < 3 && readHeader(file).snapshots.entries > 0) {
      throw new RangeError("version 2 of the format cannot, of an image that has snapshots");
    }
    const most = MAX_L1_BYTES / TABLE_ENTRY_BYTES * this.#tableCoversBytes;
    if (sizeBytes <= most) return;
    throw new RangeError(`with these clusters, an image has ${most} bytes at most`);
  }

  /** The start of the table, in a buffer of that length: what the disk has of it, and what the file has behind. */
  #readTable(lengthBytes: number): IoBuffer {
    const { file, l1 } = this.#parts;
    const buffer = new IoBuffer(lengthBytes);
    const inFile = Math.min(lengthBytes, this.#l1Entries * TABLE_ENTRY_BYTES);
    file.read(buffer, 0, l1.hostOffset, inFile);
    const { view } = l1;
    buffer.bytes.set(new Uint8Array(view.buffer, view.byteOffset, l1.entries * TABLE_ENTRY_BYTES));
    return buffer;
  }

  /** Until the header is written, nothing refers to the new table. */
  #moveTable(entries: number, flush: () => void): void {
    const { file, header: { clusterBytes }, l1, allocator, metadata, headerWriter } = this.#parts;
    const count = Math.ceil(entries * TABLE_ENTRY_BYTES / clusterBytes);
    const table = this.#readTable(count * clusterBytes);
    const first = allocator.allocateRun(count);
    try {
      file.write(table, 0, first * clusterBytes, table.size);
      flush();
    } catch (error) {
      allocator.giveBack(first, count);
      throw error;
    }
    const hostOffset = first * clusterBytes;
    headerWriter.set({ l1_size: entries, l1_table_offset: BigInt(hostOffset) });
    for (let cluster = first; cluster < first + count; cluster++) metadata.add(cluster);
    const oldCount = Math.ceil(this.#l1Entries * TABLE_ENTRY_BYTES / clusterBytes);
    if (oldCount > 0) allocator.retire(l1.hostOffset, oldCount);
    l1.replace(hostOffset, table, entries);
    this.#l1Entries = entries;
  }

  finish(): void {
    const { headerWriter, size } = this.#parts;
    headerWriter.set({ size: BigInt(this.#sizeBytes) });
    size.set(this.#sizeBytes);
  }
}
