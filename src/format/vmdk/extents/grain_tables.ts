/**
 * The tables of an extent that say where its grains are: a directory, which is in memory, of tables that are
 * read when they are needed.
 *
 * @module
 */
import type { MemoryLimit } from "../../../image/driver.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import type { Blockable } from "../../kit/flat_table.ts";
import { TableCache } from "../../kit/table_cache.ts";
import { damaged } from "../errors.ts";
import { ENTRY_BYTES, MAX_TABLE_ENTRIES, SECTOR_BYTES } from "../layout.ts";

/** Memory of a table, however many entries it has. */
const SLOT_BYTES: number = MAX_TABLE_ENTRIES * ENTRY_BYTES;

/** What {@link GrainTables.find} answers besides positions. */
export const NO_TABLE = -1;
export const BLOCKED = -2;

/** Where a directory is, and what it has. */
export interface DirectoryShape {
  readonly hostOffset: number;
  readonly entries: number;
  /** Of each table. */
  readonly tableEntries: number;
}

export class GrainTables {
  /** All tables that are in memory. */
  readonly view: DataView;
  readonly cache: TableCache;
  readonly #file: ImageFile;
  readonly #directory: IoBuffer;
  readonly #tableBytes: number;

  /**
   * Reads the directory.
   *
   * @param cacheBytes upper bound of the memory for tables, though there is always one
   * @throws {RangeError} if the directory takes too much memory
   * @throws {SystemError} if it cannot be read
   */
  constructor(
    file: ImageFile,
    { hostOffset, entries, tableEntries }: DirectoryShape,
    { cacheBytes, memory }: { readonly cacheBytes: number; readonly memory?: MemoryLimit },
  ) {
    memory?.reserveMemory(entries * ENTRY_BYTES);
    this.#file = file;
    this.#directory = new IoBuffer(entries * ENTRY_BYTES);
    file.read(this.#directory, 0, hostOffset, this.#directory.size);
    this.#tableBytes = tableEntries * ENTRY_BYTES;
    this.cache = new TableCache(SLOT_BYTES, { cacheBytes, keys: entries });
    this.view = this.cache.buffer.view;
  }

  /** How many tables there can be. */
  get count(): number {
    return this.#directory.size / ENTRY_BYTES;
  }

  /** Where table number `index` begins in the file; 0 if there is none. */
  hostOffset(index: number): number {
    return this.#directory.view.getUint32(index * ENTRY_BYTES, true) * SECTOR_BYTES;
  }

  /**
   * Position of table number `index` in {@link GrainTables.view}.
   *
   * @returns {@link NO_TABLE}, or {@link BLOCKED} where `request` now says Blocked
   * @throws {ImageFormatError} if the table is not in the file
   * @throws {SystemError} if it cannot be read
   */
  find(index: number, request: Blockable): number {
    const known = this.cache.find(index);
    if (known >= 0) return known;
    const hostOffset = this.hostOffset(index);
    if (hostOffset === 0) return NO_TABLE;
    if (hostOffset + this.#tableBytes > this.#file.sizeBytes) this.#refuseMissing(hostOffset);
    const position = this.cache.take(index);
    if (position < 0) return this.#blockedByChanges(request);
    const { buffer } = this.cache;
    if (!request.attempt.read(this.#file, buffer, position, hostOffset, this.#tableBytes)) {
      request.setBlocked();
      return BLOCKED;
    }
    this.cache.keep(index, position);
    return position;
  }

  #refuseMissing(hostOffset: number): never {
    const message = `the grain table at 0x${hostOffset.toString(16)} is not in the file`;
    throw damaged(this.#file.path, message, hostOffset);
  }

  /** Nothing can be read before what has been changed is written. */
  #blockedByChanges(request: Blockable): number {
    request.attempt.wantsFlush = true;
    request.setBlocked();
    return BLOCKED;
  }

  /** Forgets all tables but those that have to be written, and gives their memory back. */
  clear(): void {
    this.cache.clear();
  }
}
