/**
 * The entries of tables, as far as they are in memory.
 *
 * @module
 */
import { adler32 } from "../../codec/zlib.ts";
import type { Attempt } from "../../storage/attempt.ts";
import { TableCache } from "../kit/table_cache.ts";
import { damaged } from "./errors.ts";
import { CHECKSUM_BYTES, COMPRESSED_FLAG, ENTRY_BYTES } from "./layout.ts";
import type { ChunkTable } from "./tables.ts";

/** What asks for an entry, and is told if it is not there. */
interface Blockable {
  readonly attempt: Attempt;
  setBlocked(): void;
}

export class LoadedTables {
  readonly #tables: readonly ChunkTable[];
  readonly #cache: TableCache;
  /** Of each table: from which entry on all 32 bits are an offset. */
  readonly #plainFrom: Int32Array;

  constructor(tables: readonly ChunkTable[], cacheBytes: number) {
    const most = tables.reduce((max, { count }) => Math.max(max, count), 1);
    const slotBytes = most * ENTRY_BYTES + CHECKSUM_BYTES;
    this.#tables = tables;
    this.#cache = new TableCache(slotBytes, { cacheBytes, keys: Math.max(1, tables.length) });
    this.#plainFrom = new Int32Array(tables.length);
  }

  /**
   * Position of a table's entries, for {@link LoadedTables.offset}; -1 where `request` now says Blocked.
   *
   * @throws {ImageFormatError} if the entries are damaged, and their copy is, too
   * @throws {SystemError} if they cannot be read
   */
  find(index: number, table: ChunkTable, request: Blockable): number {
    const found = this.#cache.find(index);
    if (found >= 0) return found;
    const position = this.#cache.take(index);
    for (const hostOffset of [table.entriesOffset, table.copyOffset]) {
      if (hostOffset === undefined) continue;
      const lengthBytes = table.count * ENTRY_BYTES + CHECKSUM_BYTES;
      if (
        !request.attempt.read(table.file, this.#cache.buffer, position, hostOffset, lengthBytes)
      ) {
        request.setBlocked();
        return -1;
      }
      if (!this.#isRight(position, table.count)) continue;
      this.#plainFrom[index] = this.#findOverflow(position, table.count);
      this.#cache.keep(index, position);
      return position;
    }
    throw damaged(table.file, "the checksum of a table is wrong", table.entriesOffset);
  }

  #isRight(position: number, count: number): boolean {
    const { bytes, view } = this.#cache.buffer;
    const end = position + count * ENTRY_BYTES;
    return adler32(bytes.subarray(position, end)) === view.getUint32(end, true);
  }

  /**
   * EnCase 6.7.1 writes sections of more than 2 GiB: once offsets would need bit 31, it belongs to them, and
   * no chunk is compressed any more.
   */
  #findOverflow(position: number, count: number): number {
    let before = 0;
    for (let entry = 0; entry < count; entry++) {
      const offset = this.#word(position, entry) % COMPRESSED_FLAG;
      if (offset < before) return entry;
      before = offset;
    }
    return count;
  }

  #word(position: number, entry: number): number {
    return this.#cache.buffer.view.getUint32(position + entry * ENTRY_BYTES, true);
  }

  /** Where a chunk begins, counted from the table's base. */
  offset(index: number, position: number, entry: number): number {
    const word = this.#word(position, entry);
    return entry < (this.#plainFrom[index] ?? 0) ? word % COMPRESSED_FLAG : word;
  }

  isCompressed(index: number, position: number, entry: number): boolean {
    return entry < (this.#plainFrom[index] ?? 0) && this.#word(position, entry) >= COMPRESSED_FLAG;
  }

  /** The table that tells of a chunk, by its place among them. */
  indexOf(chunk: number): number {
    let first = 0;
    for (let count = this.#tables.length; count > 1;) {
      const half = count >> 1;
      if ((this.#tables[first + half]?.firstChunk ?? Infinity) <= chunk) first += half;
      count -= half;
    }
    return first;
  }

  clear(): void {
    this.#cache.clear();
  }
}
