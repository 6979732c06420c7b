/**
 * L2 tables that may be changed: new ones where there is none, and copies of those that a snapshot uses.
 *
 * @module
 */
import { Level, type Updates } from "../../../image/updates.ts";
import type { Attempt } from "../../../storage/attempt.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { SystemError } from "../../../sys/errno.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { damaged, hex } from "../errors.ts";
import type { Header } from "../header_types.ts";
import type { L1Table } from "../l1.ts";
import type { L2Slices } from "../l2.ts";
import { L2_COMPRESSED_HIGH, L2_COPIED_HIGH, TABLE_ENTRY_BYTES } from "../layout.ts";
import type { Allocator } from "./allocator.ts";
import type { ClusterSet } from "./cluster_set.ts";

export interface OwnTablesParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly l1: L1Table;
  readonly slices: L2Slices;
  readonly allocator: Allocator;
  readonly metadata: ClusterSet;
}

export class OwnTables {
  readonly #parts: OwnTablesParts;
  /** Tables that the L1 table on the disk certainly does not refer to. */
  readonly #new = new Set<number>();
  /** Those whose L1 entries have to be written. */
  readonly #unwritten = new Set<number>();
  /** Those whose L1 entries have been taken to be written. */
  #taken: number[] = [];
  readonly #entry = new IoBuffer(TABLE_ENTRY_BYTES);

  constructor(parts: OwnTablesParts) {
    this.#parts = parts;
  }

  isOwn(table: number): boolean {
    return this.#parts.l1.isOwn(table);
  }

  /** Whether nothing on the disk refers to a table, as no write of its L1 entry has been begun. */
  isNew(table: number): boolean {
    return this.#new.has(table);
  }

  /**
   * Has table number `table` be one that may be changed.
   *
   * @returns false if something has to be read first, as `attempt` says
   * @throws {ImageFormatError} if the image is damaged
   * @throws {SystemError} if there is no room
   */
  own(table: number, attempt: Attempt): boolean {
    const { l1, allocator, header, metadata, file } = this.#parts;
    const old = l1.tableOffset(table);
    if (old !== 0 && l1.isOwn(table)) return true;
    const content = old === 0 ? undefined : this.#read(old, attempt);
    if (old !== 0 && content === undefined) return false;
    const allocation = content === undefined
      ? allocator.allocateZeroed(attempt)
      : allocator.allocate(1, attempt);
    if (allocation === undefined) return false;
    const { first: cluster, isCounted } = allocation;
    const hostOffset = cluster * header.clusterBytes;
    if (content !== undefined) this.#writeCopy(content, cluster, file);
    metadata.add(cluster);
    l1.setOwn(table, hostOffset);
    if (isCounted) this.#writeEntry(table);
    else {
      this.#new.add(table);
      this.#unwritten.add(table);
    }
    if (content === undefined) return true;
    allocator.retire(old, 1);
    this.#disownCached(table);
    return true;
  }

  /** The table is there, durably, and says nothing yet: it may be referred to at once. */
  #writeEntry(table: number): void {
    const { l1, file } = this.#parts;
    const at = table * TABLE_ENTRY_BYTES;
    const { buffer, byteOffset } = l1.view;
    this.#entry.bytes.set(new Uint8Array(buffer, byteOffset + at, TABLE_ENTRY_BYTES));
    try {
      file.write(this.#entry, 0, l1.hostOffset + at, TABLE_ENTRY_BYTES);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#unwritten.add(table);
    }
  }

  #writeCopy(content: IoBuffer, cluster: number, file: ImageFile): void {
    const { allocator, header } = this.#parts;
    disown(content.view, 0, content.size, 2 ** header.l2EntryBits);
    try {
      file.write(content, 0, cluster * header.clusterBytes, content.size);
    } catch (error) {
      allocator.giveBack(cluster, 1);
      throw error;
    }
  }

  #read(hostOffset: number, attempt: Attempt): IoBuffer | undefined {
    const { file, header: { clusterBytes } } = this.#parts;
    if (hostOffset % clusterBytes !== 0 || hostOffset + clusterBytes > file.sizeBytes) {
      throw damaged(file.path, `the L2 table at ${hex(hostOffset)} is not valid`, hostOffset);
    }
    const content = new IoBuffer(clusterBytes);
    return attempt.read(file, content, 0, hostOffset, clusterBytes) ? content : undefined;
  }

  /** As the copy: what is in memory of the table. */
  #disownCached(table: number): void {
    const { slices, header } = this.#parts;
    const entryBytes = 2 ** header.l2EntryBits;
    const sliceBytes = slices.entries * entryBytes;
    const perTable = header.clusterBytes / sliceBytes;
    for (let slice = table * perTable; slice < (table + 1) * perTable; slice++) {
      const position = slices.find(slice);
      if (position >= 0) disown(slices.view, position, sliceBytes, entryBytes);
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
    const { l1, file } = this.#parts;
    this.#taken = [...this.#unwritten];
    this.#unwritten.clear();
    for (const table of this.#taken) {
      const at = table * TABLE_ENTRY_BYTES;
      const { buffer, byteOffset } = l1.view;
      const entry = new Uint8Array(buffer, byteOffset + at, TABLE_ENTRY_BYTES);
      updates.add(Level.Tables, file, l1.hostOffset + at, entry);
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

/** What a table of which there are two refers to is used by both. */
function disown(view: DataView, start: number, lengthBytes: number, entryBytes: number): void {
  for (let at = start; at < start + lengthBytes; at += entryBytes) {
    const high = view.getUint32(at);
    if ((high & L2_COMPRESSED_HIGH) === 0) view.setUint32(at, high & ~L2_COPIED_HIGH);
  }
}
