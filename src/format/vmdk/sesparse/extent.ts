/**
 * Space-efficient sparse extents: those of snapshots on VMFS 6, and of all larger than 2 TiB.
 *
 * @module
 */
import type { Image } from "../../../image/driver.ts";
import { VMDK } from "../../../image/formats.ts";
import type { Mapping } from "../../../image/mapping.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { FlatTable } from "../../kit/flat_table.ts";
import { startsWith } from "../../kit/starts_with.ts";
import { StoredBlocks } from "../../kit/stored_blocks.ts";
import { damaged } from "../errors.ts";
import type { ExtentKind, ExtentOptions, SparseExtent } from "../extents/kind.ts";
import { SESPARSE_MARK } from "../layout.ts";
import { readSeSparseHeader, type SeSparseHeader } from "./header.ts";
import {
  ENTRY_BYTES,
  EntryType,
  GRAIN_BYTES,
  TABLE_ENTRIES,
  TABLE_HIGH,
  TABLE_SPAN,
} from "./layout.ts";

/** Space-efficient sparse extents. */
export const seSparse: ExtentKind = {
  isMarked: (head) => startsWith(head, SESPARSE_MARK),
  header: readSeSparseHeader,
  open: (file, options) => new SeSparseExtent(file, readSeSparseHeader(file), options),
};

/** Of the memory for metadata, a small part is the directory's. */
const DIRECTORY_SHARE = 8;
const TYPE_SHIFT = 28;

class SeSparseExtent implements SparseExtent {
  readonly sizeBytes: number;
  readonly packing = undefined;
  readonly writing = undefined;
  readonly #file: ImageFile;
  readonly #header: SeSparseHeader;
  readonly #start: number;
  readonly #backing: Image | undefined;
  readonly #directory: FlatTable;
  /** All tables as one, for they follow each other. */
  readonly #tables: FlatTable;
  readonly #stored: StoredBlocks;

  constructor(file: ImageFile, header: SeSparseHeader, options: ExtentOptions) {
    const { start, backing, cacheBytes } = options;
    const { directoryOffset, directoryEntries, tablesOffset, tables } = header;
    this.sizeBytes = header.sizeBytes;
    this.#file = file;
    this.#header = header;
    this.#start = start;
    this.#backing = backing;
    const share = cacheBytes / DIRECTORY_SHARE;
    const entryBytes = ENTRY_BYTES;
    const directory = { hostOffset: directoryOffset, entries: directoryEntries, entryBytes };
    this.#directory = new FlatTable(file, directory, share);
    const all = { hostOffset: tablesOffset, entries: tables * TABLE_ENTRIES, entryBytes };
    this.#tables = new FlatTable(file, all, cacheBytes - share);
    this.#stored = new StoredBlocks(file, VMDK.name, { blockBytes: GRAIN_BYTES });
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const index = Math.floor(guestOffset / TABLE_SPAN);
    const position = this.#directory.find(index, mapping);
    if (position < 0) return;
    const inTable = guestOffset % TABLE_SPAN;
    const runBytes = Math.min(lengthBytes, TABLE_SPAN - inTable);
    const { view } = this.#directory;
    const table = view.getUint32(position, true);
    const high = view.getUint32(position + 4, true);
    if (table === 0 && high === 0) return this.#setBelow(guestOffset, runBytes, mapping);
    if (high !== TABLE_HIGH || table >= this.#header.tables) {
      this.#refuse("directory", index, { high, low: table });
    }
    this.#mapGrains(table, guestOffset, runBytes, mapping);
  }

  /** Grains of one table, as far as they are alike and in one part of the table that is in memory. */
  #mapGrains(table: number, guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const index = table * TABLE_ENTRIES + Math.floor(guestOffset % TABLE_SPAN / GRAIN_BYTES);
    const position = this.#tables.find(index, mapping);
    if (position < 0) return;
    const inGrain = guestOffset % GRAIN_BYTES;
    const wanted = Math.ceil((inGrain + lengthBytes) / GRAIN_BYTES);
    const most = Math.min(wanted, this.#tables.inSlice(index));
    const type = this.#typeAt(position);
    const isStored = type === EntryType.stored;
    const first = isStored ? this.#grainAt(position) : 0;
    let count = 1;
    for (; count < most; count++) {
      const next = position + count * ENTRY_BYTES;
      if (this.#typeAt(next) !== type) break;
      if (isStored && this.#grainAt(next) !== first + count) break;
    }
    const runBytes = Math.min(count * GRAIN_BYTES - inGrain, lengthBytes);
    switch (type) {
      case EntryType.none:
        return this.#setBelow(guestOffset, runBytes, mapping);
      case EntryType.unmapped:
      case EntryType.zero:
        return mapping.setZero(runBytes);
      case EntryType.stored: {
        const grainOffset = this.#header.grainsOffset + first * GRAIN_BYTES;
        return this.#stored.setStored(grainOffset, grainOffset + inGrain, runBytes, mapping);
      }
      default:
        this.#refuseEntry(index, position);
    }
  }

  /** One of {@link EntryType}, or what is none: an entry that says nothing is 0 as a whole. */
  #typeAt(position: number): number {
    const { view } = this.#tables;
    const high = view.getUint32(position + 4, true);
    const type = high >>> TYPE_SHIFT;
    if (type !== EntryType.none) return type;
    return high === 0 && view.getUint32(position, true) === 0 ? EntryType.none : -1;
  }

  /** Number of a stored grain: its lowest 12 bits are above the others. */
  #grainAt(position: number): number {
    const { view } = this.#tables;
    const high = view.getUint32(position + 4, true);
    const upper = (high & 0xffff) * 2 ** 32 + view.getUint32(position, true);
    return upper * 2 ** 12 + (high >>> 16 & 0xfff);
  }

  #setBelow(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    mapping.setBacking(this.#backing, this.#start + guestOffset, lengthBytes);
  }

  #refuseEntry(index: number, position: number): never {
    const { view } = this.#tables;
    const high = view.getUint32(position + 4, true);
    this.#refuse("grain tables", index, { high, low: view.getUint32(position, true) });
  }

  #refuse(
    where: string,
    index: number,
    { high, low }: { readonly high: number; readonly low: number },
  ): never {
    const entry = (BigInt(high) << 32n | BigInt(low)).toString(16);
    throw damaged(this.#file.path, `entry ${index} of the ${where} is 0x${entry}`);
  }

  dropCaches(): void {
    this.#directory.clear();
    this.#tables.clear();
  }
}
