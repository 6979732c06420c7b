/**
 * An open image: its BAT.
 *
 * @module
 */
import type { Image } from "../../image/driver.ts";
import { ImageFormatError } from "../../image/errors.ts";
import { PARALLELS } from "../../image/formats.ts";
import type { MappedDisk, Mapping } from "../../image/mapping.ts";
import type { Writing } from "../../image/writing.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { FlatTable } from "../kit/flat_table.ts";
import { StoredBlocks } from "../kit/stored_blocks.ts";
import { Entries } from "./entries.ts";
import type { Header } from "./header.ts";
import { ENTRY_BYTES, ENTRY_FREE, HEADER } from "./layout.ts";
import { ParallelsWriting } from "./write/writing.ts";

/** What an image consists of. */
export interface ImageParts {
  readonly file: ImageFile;
  readonly header: Header;
  /** What shows where nothing is stored. */
  readonly backing: MappedDisk | undefined;
  readonly cacheBytes: number;
  readonly readOnly: boolean;
  readonly warnings: readonly string[];
}

export class ParallelsImage implements Image {
  readonly sizeBytes: number;
  readonly warnings: readonly string[];
  readonly writing: Writing | undefined;
  readonly #file: ImageFile;
  readonly #header: Header;
  readonly #backing: MappedDisk | undefined;
  readonly #table: FlatTable;
  readonly #entries: Entries;
  readonly #stored: StoredBlocks;
  /** What lies behind it, the BAT does not describe. */
  readonly #describedBytes: number;

  /** @throws as {@link ParallelsWriting} */
  constructor({ file, header, backing, cacheBytes, readOnly, warnings }: ImageParts) {
    this.sizeBytes = header.sizeBytes;
    this.warnings = warnings;
    this.#file = file;
    this.#header = header;
    this.#backing = backing;
    this.#describedBytes = header.entries * header.clusterBytes;
    const shape = {
      hostOffset: HEADER.sizeBytes,
      entries: header.entries,
      entryBytes: ENTRY_BYTES,
    };
    const table = new FlatTable(file, shape, cacheBytes);
    const entries = new Entries(header, table);
    this.#table = table;
    this.#entries = entries;
    this.#stored = new StoredBlocks(file, PARALLELS.name, { blockBytes: header.clusterBytes });
    if (readOnly) return;
    const hasBacking = backing !== undefined;
    this.writing = new ParallelsWriting({ file, header, table, entries, hasBacking });
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const { clusterBytes, entryUnitBytes, dataOffset } = this.#header;
    if (guestOffset >= this.#describedBytes) {
      return mapping.setBacking(this.#backing, guestOffset, lengthBytes);
    }
    const position = this.#table.find(Math.floor(guestOffset / clusterBytes), mapping);
    if (position < 0) return;
    const entry = this.#entries.at(position);
    const runBytes = this.#entries.runBytes(position, guestOffset, lengthBytes);
    if (entry === ENTRY_FREE) return mapping.setBacking(this.#backing, guestOffset, runBytes);
    const clusterOffset = entry * entryUnitBytes;
    if (clusterOffset < dataOffset) throw this.#damagedEntry(guestOffset, clusterOffset);
    const hostOffset = clusterOffset + guestOffset % clusterBytes;
    this.#stored.setStored(clusterOffset, hostOffset, runBytes, mapping);
  }

  #damagedEntry(guestOffset: number, hostOffset: number): ImageFormatError {
    const message = `the entry for guest offset 0x${guestOffset.toString(16)} refers to no cluster`;
    return new ImageFormatError(PARALLELS.name, this.#file.path, message, hostOffset);
  }

  dropCaches(): void {
    this.#table.clear();
  }

  [Symbol.dispose](): void {}
}
