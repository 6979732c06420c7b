/**
 * An open VDI image: the map of its blocks.
 *
 * @module
 */
import type { Image } from "../../image/driver.ts";
import { VDI } from "../../image/formats.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { Writing } from "../../image/writing.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { FlatTable } from "../kit/flat_table.ts";
import { StoredBlocks } from "../kit/stored_blocks.ts";
import type { Header } from "./header.ts";
import { Entries } from "./entries.ts";
import { ENTRY_BYTES, ENTRY_FREE, ENTRY_ZERO } from "./layout.ts";
import { VdiWriting } from "./write/writing.ts";

/** What an image consists of. */
export interface ImageParts {
  readonly file: ImageFile;
  readonly header: Header;
  /** The image below. */
  readonly backing: Image | undefined;
  readonly cacheBytes: number;
  readonly readOnly: boolean;
}

export class VdiImage implements Image {
  readonly sizeBytes: number;
  readonly fileHoles: "zeros" | undefined;
  readonly writing: Writing | undefined;
  readonly #header: Header;
  readonly #backing: Image | undefined;
  readonly #table: FlatTable;
  readonly #entries: Entries;
  readonly #stored: StoredBlocks;
  /** How far apart stored blocks are. */
  readonly #strideBytes: number;

  /** @throws as {@link VdiWriting} */
  constructor({ file, header, backing, cacheBytes, readOnly }: ImageParts) {
    this.sizeBytes = header.sizeBytes;
    this.fileHoles = header.isFixed ? "zeros" : undefined;
    this.#stored = new StoredBlocks(file, VDI.name, header);
    this.#header = header;
    this.#backing = backing;
    this.#strideBytes = header.extraBytes + header.blockBytes;
    const shape = { hostOffset: header.mapOffset, entries: header.blocks, entryBytes: ENTRY_BYTES };
    const table = new FlatTable(file, shape, cacheBytes);
    this.#table = table;
    const hasBacking = backing !== undefined;
    this.#entries = new Entries({ header, table, hasBacking });
    if (!readOnly) this.writing = new VdiWriting({ file, header, table, hasBacking });
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const { blockBytes } = this.#header;
    const block = Math.floor(guestOffset / blockBytes);
    const position = this.#table.find(block, mapping);
    if (position < 0) return;
    const inBlock = guestOffset % blockBytes;
    const entry = this.#entries.at(position);
    const runBytes = this.#entries.runBytes(position, guestOffset, lengthBytes);
    if (entry === ENTRY_FREE) return mapping.setBacking(this.#backing, guestOffset, runBytes);
    if (entry === ENTRY_ZERO) return mapping.setZero(runBytes);
    const { dataOffset, extraBytes } = this.#header;
    const blockOffset = dataOffset + entry * this.#strideBytes + extraBytes;
    this.#stored.setStored(blockOffset, blockOffset + inBlock, runBytes, mapping);
  }

  dropCaches(): void {
    this.#table.clear();
  }

  [Symbol.dispose](): void {}
}
