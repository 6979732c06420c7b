/**
 * The entries by which the kernel finds chunks: in which device, and from which block on.
 *
 * @module
 */
import { ChunkSource } from "./chunk_walker.ts";
import { CHUNK_ENTRY } from "./layout.ts";
import { SERVED_LEAD_BYTES, windowBytes } from "./served_windows.ts";

/** The device stands behind two unused bytes. */
const DEVICE_UNIT = 2 ** (8 * CHUNK_ENTRY.device);

export interface EntryGeometry {
  readonly blockBits: number;
  readonly chunkBits: number;
  /** Where in the files their devices begin, in bytes; the first file's device has the number 1. */
  readonly fileStarts: readonly number[];
  /** Number of the first device that shows what is served. */
  readonly serverDevice: number;
}

/** Writes entries. */
export class ChunkEntries {
  /** What the last entry has named. */
  device = 0;
  block = 0;
  readonly #geometry: EntryGeometry;
  readonly #blockBytes: number;
  readonly #chunkBytes: number;
  readonly #windowBytes: number;

  constructor(geometry: EntryGeometry) {
    this.#geometry = geometry;
    this.#blockBytes = 2 ** geometry.blockBits;
    this.#chunkBytes = 2 ** geometry.chunkBits;
    this.#windowBytes = windowBytes(geometry.blockBits);
  }

  /** Writes the entry of a chunk that is in a file, or served. */
  write(view: DataView, at: number, chunk: number, source: number, hostOffset: number): void {
    if (source === ChunkSource.Server) return this.#writeServed(view, at, chunk);
    this.writeAt(view, at, source + 1, hostOffset - (this.#geometry.fileStarts[source] ?? 0));
  }

  #writeServed(view: DataView, at: number, chunk: number): void {
    const start = chunk * this.#chunkBytes;
    const window = Math.floor(start / this.#windowBytes);
    const offset = start - window * this.#windowBytes + SERVED_LEAD_BYTES;
    this.writeAt(view, at, this.#geometry.serverDevice + window, offset);
  }

  /** Writes an entry for what lies at `offset`, in bytes, of a device; 0 is that of the metadata. */
  writeAt(view: DataView, at: number, device: number, offset: number): void {
    this.device = device;
    this.block = offset / this.#blockBytes;
    view.setUint32(at, device * DEVICE_UNIT, true);
    view.setUint32(at + CHUNK_ENTRY.block, this.block, true);
  }
}
