/**
 * An open EWF image.
 *
 * @module
 */
import { CompressionMethod, type Packing } from "../../image/decoding.ts";
import type { Image } from "../../image/driver.ts";
import type { Mapping } from "../../image/mapping.ts";
import { damaged } from "./errors.ts";
import { CHECKSUM_BYTES, MIN_SECTOR_BYTES } from "./layout.ts";
import { LoadedTables } from "./loaded_tables.ts";
import type { ChunkTable } from "./tables.ts";
import type { Volume } from "./volume.ts";

/** What an image consists of. */
export interface EwfParts {
  readonly volume: Volume;
  readonly tables: readonly ChunkTable[];
  readonly cacheBytes: number;
}

const METHODS = [CompressionMethod.Zlib, CompressionMethod.Summed] as const;

export class EwfImage implements Image {
  readonly sizeBytes: number;
  readonly sectorBytes: number | undefined;
  readonly packing: Packing;
  readonly #volume: Volume;
  readonly #tables: readonly ChunkTable[];
  readonly #loaded: LoadedTables;

  constructor({ volume, tables, cacheBytes }: EwfParts) {
    const { sizeBytes, sectorBytes, chunkBytes } = volume;
    this.sizeBytes = sizeBytes;
    this.sectorBytes = sectorBytes > MIN_SECTOR_BYTES ? sectorBytes : undefined;
    this.packing = { maxPieceBytes: chunkBytes, methods: METHODS };
    this.#volume = volume;
    this.#tables = tables;
    this.#loaded = new LoadedTables(tables, cacheBytes);
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const { chunkBytes } = this.#volume;
    const chunk = Math.floor(guestOffset / chunkBytes);
    const index = this.#loaded.indexOf(chunk);
    const table = this.#tables[index];
    if (table === undefined) throw new Error("a chunk without a table");
    const position = this.#loaded.find(index, table, mapping);
    if (position < 0) return;
    const entry = chunk - table.firstChunk;
    this.#setPlace(index, position, entry, mapping);
    const start = chunk * chunkBytes;
    const pieceBytes = Math.min(chunkBytes, this.sizeBytes - start);
    mapping.setPiece(start, pieceBytes, Math.min(lengthBytes, start + pieceBytes - guestOffset));
  }

  #setPlace(index: number, position: number, entry: number, mapping: Mapping): void {
    const table = this.#tables[index];
    if (table === undefined) return;
    const loaded = this.#loaded;
    const start = table.base + loaded.offset(index, position, entry);
    const end = entry + 1 < table.count
      ? table.base + loaded.offset(index, position, entry + 1)
      : table.chunksEnd;
    // Deflate makes nothing longer than by some bytes.
    const most = 2 * this.#volume.chunkBytes + CHECKSUM_BYTES;
    if (end <= start || end > table.file.sizeBytes || end - start > most) {
      throw damaged(table.file, "a chunk cannot be where the table says", start);
    }
    mapping.setPacked(table.file, start, end - start);
    mapping.method = loaded.isCompressed(index, position, entry)
      ? CompressionMethod.Zlib
      : CompressionMethod.Summed;
  }

  dropCaches(): void {
    this.#loaded.clear();
  }

  [Symbol.dispose](): void {}
}
