/**
 * An open dynamic or differencing image: its allocation table, and the bitmaps of its blocks.
 *
 * @module
 */
import type { Image } from "../../image/driver.ts";
import { VHD } from "../../image/formats.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { FlatTable } from "../kit/flat_table.ts";
import { SectorBitmaps } from "../kit/sector_bitmaps.ts";
import { StoredBlocks } from "../kit/stored_blocks.ts";
import type { BlockHeader } from "./header.ts";
import { ENTRY_BYTES, ENTRY_NONE, SECTOR_BYTES } from "./layout.ts";

/** Of the memory for metadata, one half is the table's, the other one the bitmaps'. */
const SHARES = 2;

/** What an image consists of. */
export interface ImageParts {
  readonly file: ImageFile;
  readonly sizeBytes: number;
  readonly header: BlockHeader;
  readonly warnings: readonly string[];
  /** The image below. */
  readonly backing: Image | undefined;
  readonly cacheBytes: number;
}

export class BlockVhd implements Image {
  readonly sizeBytes: number;
  readonly warnings: readonly string[];
  readonly #header: BlockHeader;
  readonly #backing: Image | undefined;
  readonly #table: FlatTable;
  readonly #bitmaps: SectorBitmaps;
  readonly #stored: StoredBlocks;

  constructor({ file, sizeBytes, header, warnings, backing, cacheBytes }: ImageParts) {
    this.sizeBytes = sizeBytes;
    this.warnings = warnings;
    this.#header = header;
    this.#backing = backing;
    const { tableOffset: hostOffset, entries, bitmapBytes } = header;
    const share = cacheBytes / SHARES;
    this.#table = new FlatTable(file, { hostOffset, entries, entryBytes: ENTRY_BYTES }, share);
    const bitmaps = { bitmapBytes, bitmaps: entries, firstBit: "highest" } as const;
    this.#bitmaps = new SectorBitmaps(file, bitmaps, share);
    this.#stored = new StoredBlocks(file, VHD.name);
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const { blockBytes } = this.#header;
    const block = Math.floor(guestOffset / blockBytes);
    const position = this.#table.find(block, mapping);
    if (position < 0) return;
    const inBlock = guestOffset % blockBytes;
    const entry = this.#table.view.getUint32(position);
    if (entry === ENTRY_NONE) {
      const wanted = Math.ceil((inBlock + lengthBytes) / blockBytes);
      const count = this.#countMissing(position, Math.min(wanted, this.#table.inSlice(block)));
      const runBytes = Math.min(count * blockBytes - inBlock, lengthBytes);
      return mapping.setBacking(this.#backing, guestOffset, runBytes);
    }
    const runBytes = Math.min(lengthBytes, blockBytes - inBlock);
    const blockOffset = entry * SECTOR_BYTES;
    if (this.#header.isDifferencing) {
      return this.#mapSectors({ block, blockOffset }, guestOffset, runBytes, mapping);
    }
    const hostOffset = blockOffset + this.#header.bitmapBytes + inBlock;
    this.#stored.setStored(blockOffset, hostOffset, runBytes, mapping);
  }

  /** How many blocks from the entry at `position` on are not stored. */
  #countMissing(position: number, blocks: number): number {
    const { view } = this.#table;
    let count = 1;
    while (count < blocks && view.getUint32(position + count * ENTRY_BYTES) === ENTRY_NONE) count++;
    return count;
  }

  /** Sectors of one block, as far as they all are in this image, or in the one below. */
  #mapSectors(
    { block, blockOffset }: { readonly block: number; readonly blockOffset: number },
    guestOffset: number,
    lengthBytes: number,
    mapping: Mapping,
  ): void {
    const { blockBytes, bitmapBytes } = this.#header;
    // Of a block that is not in the file, nothing is known, not even whose it is.
    this.#stored.setStored(blockOffset, blockOffset, lengthBytes, mapping);
    const position = this.#bitmaps.find(block, blockOffset, mapping);
    if (position < 0) return;
    const inBlock = guestOffset % blockBytes;
    const first = Math.floor(inBlock / SECTOR_BYTES);
    const count = Math.ceil((inBlock + lengthBytes) / SECTOR_BYTES) - first;
    const run = this.#bitmaps.runLength(position, first, count);
    const runBytes = Math.min((first + run) * SECTOR_BYTES - inBlock, lengthBytes);
    if (!this.#bitmaps.isSet(position, first)) {
      return mapping.setBacking(this.#backing, guestOffset, runBytes);
    }
    this.#stored.setStored(blockOffset, blockOffset + bitmapBytes + inBlock, runBytes, mapping);
  }

  dropCaches(): void {
    this.#table.clear();
    this.#bitmaps.clear();
  }

  [Symbol.dispose](): void {}
}
