/**
 * The allocation table: where each block of the disk is stored, and where in the file its parts are then.
 *
 *     entry ──> +--------------------------------+
 *               | bitmap: sectors of 512 bytes,  |
 *               |   each about one piece         |
 *               +--------------------------------+
 *               | piece 0: 2 MiB, or the block   |
 *               | piece 1                        |
 *               +--------------------------------+
 *
 * @module
 */
import type { Updates } from "../../image/updates.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { type Blockable, FlatTable } from "../kit/flat_table.ts";
import type { BlockHeader } from "./header.ts";
import { ENTRY_BYTES, ENTRY_NONE, SECTOR_BYTES } from "./layout.ts";

export class AllocationTable {
  readonly #table: FlatTable;
  readonly #header: BlockHeader;

  /** @param cacheBytes as in {@link FlatTable} */
  constructor(file: ImageFile, header: BlockHeader, cacheBytes: number) {
    const { tableOffset: hostOffset, entries } = header;
    this.#header = header;
    this.#table = new FlatTable(file, { hostOffset, entries, entryBytes: ENTRY_BYTES }, cacheBytes);
  }

  /**
   * Position of the entry for the block that has the byte at `guestOffset`.
   *
   * @returns -1 where `request` now says Blocked
   * @throws {SystemError} if it cannot be read
   */
  find(guestOffset: number, request: Blockable): number {
    return this.#table.find(Math.floor(guestOffset / this.#header.blockBytes), request);
  }

  /** The first sector of the block in the file, or {@link ENTRY_NONE}. */
  at(position: number): number {
    return this.#table.view.getUint32(position);
  }

  /** How many of `lengthBytes` from `guestOffset` on, whose entry is at `position`, are not stored. */
  missingBytes(position: number, guestOffset: number, lengthBytes: number): number {
    const { blockBytes } = this.#header;
    const block = Math.floor(guestOffset / blockBytes);
    const inBlock = guestOffset - block * blockBytes;
    const wanted = Math.ceil((inBlock + lengthBytes) / blockBytes);
    const most = Math.min(wanted, this.#table.inSlice(block));
    let count = 1;
    while (count < most && this.at(position + count * ENTRY_BYTES) === ENTRY_NONE) count++;
    return Math.min(count * blockBytes - inBlock, lengthBytes);
  }

  /** Where in the file a byte of a stored block is. */
  dataOffset(entry: number, guestOffset: number): number {
    const { bitmapBytes, blockBytes } = this.#header;
    return entry * SECTOR_BYTES + bitmapBytes + guestOffset % blockBytes;
  }

  /** Where in the file the sector of a stored block's bitmap is that is about a byte. */
  bitsOffset(entry: number, guestOffset: number): number {
    const { blockBytes, pieceBytes } = this.#header;
    const piece = Math.floor(guestOffset % blockBytes / pieceBytes);
    return (entry + piece) * SECTOR_BYTES;
  }

  /**
   * Has a block be stored, which may be written down at once: what is there says nothing yet that is not so.
   */
  link(position: number, entry: number): void {
    this.#table.view.setUint32(position, entry);
    if (!this.#table.writeThrough(position, 1)) this.#table.markDirty(position);
  }

  /** Whether nothing has to be written any more of the entries for a range of the disk. */
  areWritten(guestOffset: number, lengthBytes: number): boolean {
    const { blockBytes } = this.#header;
    const first = Math.floor(guestOffset / blockBytes);
    const end = Math.ceil((guestOffset + lengthBytes) / blockBytes);
    return this.#table.areWritten(first, end - first);
  }

  get hasDirty(): boolean {
    return this.#table.hasDirty;
  }

  get isCrowded(): boolean {
    return this.#table.isCrowded;
  }

  takeUpdates(updates: Updates): void {
    this.#table.takeUpdates(updates);
  }

  updated(isDurable: boolean): void {
    this.#table.updated(isDurable);
  }

  clear(): void {
    this.#table.clear();
  }
}
