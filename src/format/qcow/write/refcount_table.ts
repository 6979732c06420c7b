/**
 * The refcount table: where the refcount blocks are (specification, "Host cluster management"). All of
 * it is in memory.
 *
 * @module
 */
import { Level, type Updates } from "../../../image/updates.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import type { Header } from "../header_types.ts";
import { blockOffsetInEntry } from "../l1.ts";
import { HEADER, TABLE_ENTRY_BYTES } from "../layout.ts";

/** refcount_table_offset and refcount_table_clusters. */
const PLACE_BYTES = 12;

export class RefcountTable {
  readonly #file: ImageFile;
  #offset: number;
  #buffer: IoBuffer;
  /** Entries that have to be written. */
  readonly #dirty = new Set<number>();
  /** Those that have been taken to be written. */
  #taken: number[] = [];
  /** Whether it lies elsewhere than the header on the disk certainly says. */
  #hasMoved = false;
  /** After a move, the content that the header may refer to from now on, as it was taken first. */
  #movedContent: Uint8Array | undefined;
  /** Whether that is durable, so that only entries are written over it: those of later rounds, too. */
  #isContentDurable = false;

  readonly #clusterBytes: number;

  /** @throws {SystemError} if it cannot be read */
  constructor(
    file: ImageFile,
    { clusterBytes, refcounts }: Pick<Header, "clusterBytes" | "refcounts">,
  ) {
    const { tableOffset, tableEntries } = refcounts;
    this.#file = file;
    this.#clusterBytes = clusterBytes;
    this.#offset = tableOffset;
    this.#buffer = new IoBuffer(tableEntries * TABLE_ENTRY_BYTES);
    file.read(this.#buffer, 0, tableOffset, this.#buffer.size);
  }

  get offset(): number {
    return this.#offset;
  }

  get sizeBytes(): number {
    return this.#buffer.size;
  }

  get entries(): number {
    return this.#buffer.size / TABLE_ENTRY_BYTES;
  }

  /** How many entries there are up to the last one that has a block. */
  get usedEntries(): number {
    let index = this.entries;
    while (index > 0 && this.blockOffset(index - 1) === 0) index--;
    return index;
  }

  /** Where block number `index` is in the file; 0 if there is none. */
  blockOffset(index: number): number {
    return index < this.entries
      ? blockOffsetInEntry(this.#buffer.view, index * TABLE_ENTRY_BYTES)
      : 0;
  }

  setBlock(index: number, hostOffset: number): void {
    this.#put(index, hostOffset);
    this.#dirty.add(index);
  }

  #put(index: number, hostOffset: number): void {
    const { view } = this.#buffer;
    view.setUint32(index * TABLE_ENTRY_BYTES, Math.floor(hostOffset / 2 ** 32));
    view.setUint32(index * TABLE_ENTRY_BYTES + 4, hostOffset >>> 0);
  }

  /** Has the table lie at `hostOffset` from now on, and be `sizeBytes` long. */
  moveTo(hostOffset: number, sizeBytes: number): void {
    const larger = new IoBuffer(sizeBytes);
    larger.bytes.set(this.#buffer.bytes);
    this.#buffer = larger;
    this.#offset = hostOffset;
    this.#hasMoved = true;
    this.#movedContent = undefined;
    this.#isContentDurable = false;
  }

  get isDirty(): boolean {
    return this.#hasMoved || this.#dirty.size > 0;
  }

  takeUpdates(updates: Updates): void {
    if (this.#hasMoved) this.#takeMove(updates);
    this.#taken = [...this.#dirty];
    this.#dirty.clear();
    for (const index of this.#taken) {
      const start = index * TABLE_ENTRY_BYTES;
      const bytes = this.#buffer.bytes.subarray(start, start + TABLE_ENTRY_BYTES);
      updates.add(Level.CountTables, this.#file, this.#offset + start, bytes);
    }
  }

  /**
   * Nothing refers to the table yet; or, after a round that has failed, perhaps the header does, so that
   * what has been added since has to wait for the counts. Where it is and how long lies side by side.
   */
  #takeMove(updates: Updates): void {
    if (this.#movedContent === undefined) {
      this.#movedContent = this.#buffer.bytes.slice();
      this.#dirty.clear();
    }
    if (!this.#isContentDurable) {
      updates.add(Level.Counts, this.#file, this.#offset, this.#movedContent);
    }
    const place = new DataView(new ArrayBuffer(PLACE_BYTES));
    place.setBigUint64(0, BigInt(this.#offset));
    place.setUint32(8, this.sizeBytes / this.#clusterBytes);
    const at = HEADER.offsets.refcount_table_offset;
    updates.add(Level.CountTables, this.#file, at, new Uint8Array(place.buffer));
  }

  /** What was taken for {@link Level.Counts} is durable: after a move, the table's first content is. */
  countsAreDurable(): void {
    this.#isContentDurable = this.#movedContent !== undefined;
  }

  updated(isDurable: boolean): void {
    if (!isDurable) { for (const index of this.#taken) this.#dirty.add(index); }
    else if (this.#movedContent !== undefined) {
      this.#hasMoved = false;
      this.#movedContent = undefined;
    }
    this.#taken = [];
  }
}
