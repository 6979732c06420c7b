/**
 * The tables of an extent that say where its grains are, read when they are needed.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import type { Blockable } from "../../kit/flat_table.ts";
import { TableCache } from "../../kit/table_cache.ts";
import { damaged } from "../errors.ts";
import { ENTRY_BYTES, MAX_TABLE_ENTRIES } from "../layout.ts";
import type { Directory } from "./directory.ts";

/** Least memory of a table, however few entries it has. */
const LEAST_SLOT_BYTES: number = MAX_TABLE_ENTRIES * ENTRY_BYTES;

/** What {@link GrainTables.find} answers besides positions. */
export const NO_TABLE = -1;
export const BLOCKED = -2;

export class GrainTables {
  /** All tables that are in memory, each from its start on. */
  readonly view: DataView;
  readonly cache: TableCache;
  readonly #file: ImageFile;
  readonly #directory: Directory;
  readonly #tableBytes: number;
  #isFull = false;

  /** @param limits of the memory for tables, though there is always one; entries of each table */
  constructor(
    file: ImageFile,
    directory: Directory,
    { cacheBytes, tableEntries }: { readonly cacheBytes: number; readonly tableEntries: number },
  ) {
    this.#file = file;
    this.#directory = directory;
    this.#tableBytes = tableEntries * ENTRY_BYTES;
    const slotBytes = Math.max(LEAST_SLOT_BYTES, this.#tableBytes);
    this.cache = new TableCache(slotBytes, { cacheBytes, keys: directory.count });
    this.view = this.cache.buffer.view;
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
    const hostOffset = this.#directory.hostOffset(index);
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
    this.#isFull = true;
    request.attempt.wantsFlush = true;
    request.setBlocked();
    return BLOCKED;
  }

  /** Whether there was no room for a table since {@link GrainTables.makeRoom}. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Says that what has been changed is about to be written. */
  makeRoom(): void {
    this.#isFull = false;
  }

  /** Forgets all tables but those that have to be written, and gives their memory back. */
  clear(): void {
    this.cache.clear();
  }
}
