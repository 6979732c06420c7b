/**
 * An open VDI image: the map of its blocks.
 *
 * @module
 */
import type { Image } from "../../image/driver.ts";
import { VDI } from "../../image/formats.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { FlatTable } from "../kit/flat_table.ts";
import { StoredBlocks } from "../kit/stored_blocks.ts";
import type { Header } from "./header.ts";
import { ENTRY_BYTES, ENTRY_FREE, ENTRY_ZERO } from "./layout.ts";

/** What an image consists of. */
export interface ImageParts {
  readonly file: ImageFile;
  readonly header: Header;
  /** The image below. */
  readonly backing: Image | undefined;
  readonly cacheBytes: number;
}

export class VdiImage implements Image {
  readonly sizeBytes: number;
  readonly fileHoles: "zeros" | undefined;
  readonly #header: Header;
  readonly #backing: Image | undefined;
  readonly #table: FlatTable;
  readonly #stored: StoredBlocks;
  /** How far apart stored blocks are. */
  readonly #strideBytes: number;

  constructor({ file, header, backing, cacheBytes }: ImageParts) {
    this.sizeBytes = header.sizeBytes;
    this.fileHoles = header.isFixed ? "zeros" : undefined;
    this.#stored = new StoredBlocks(file, VDI.name);
    this.#header = header;
    this.#backing = backing;
    this.#strideBytes = header.extraBytes + header.blockBytes;
    const shape = { hostOffset: header.mapOffset, entries: header.blocks, entryBytes: ENTRY_BYTES };
    this.#table = new FlatTable(file, shape, cacheBytes);
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const { blockBytes } = this.#header;
    const block = Math.floor(guestOffset / blockBytes);
    const position = this.#table.find(block, mapping);
    if (position < 0) return;
    const inBlock = guestOffset % blockBytes;
    const wanted = Math.ceil((inBlock + lengthBytes) / blockBytes);
    const entry = this.#table.view.getUint32(position, true);
    const count = this.#countRun(position, Math.min(wanted, this.#table.inSlice(block)), entry);
    const runBytes = Math.min(count * blockBytes - inBlock, lengthBytes);
    if (entry === ENTRY_FREE) return mapping.setBacking(this.#backing, guestOffset, runBytes);
    if (entry === ENTRY_ZERO) return mapping.setZero(runBytes);
    const blockOffset = this.#header.dataOffset + entry * this.#strideBytes;
    const hostOffset = blockOffset + this.#header.extraBytes + inBlock;
    this.#stored.setStored(blockOffset, hostOffset, runBytes, mapping);
  }

  /** How many blocks from that of the entry at `position` on are stored behind each other, or not at all. */
  #countRun(position: number, blocks: number, entry: number): number {
    const { view } = this.#table;
    const isStored = entry < ENTRY_ZERO;
    // What lies between stored blocks belongs to none.
    if (isStored && this.#header.extraBytes > 0) return 1;
    const step = isStored ? 1 : 0;
    let count = 1;
    while (count < blocks) {
      const next = view.getUint32(position + count * ENTRY_BYTES, true);
      if (next !== entry + count * step || next >= ENTRY_ZERO && isStored) break;
      count++;
    }
    return count;
  }

  dropCaches(): void {
    this.#table.clear();
  }

  [Symbol.dispose](): void {}
}
