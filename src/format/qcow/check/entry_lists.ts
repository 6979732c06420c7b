/**
 * Tables of 8-byte entries of which many may lie above one another: L1 tables of snapshots, bitmap
 * tables. Each entry is read once, with the number of tables that have it.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { TABLE_ENTRY_BYTES } from "../layout.ts";
import { Ranges } from "./ranges.ts";

/** Tables are read in pieces of this size. */
export const PIECE_BYTES: number = 1024 * 1024;

/** Called with where an entry is in `view`, and how many tables have it. */
export type TakeEntry = (view: DataView, position: number, times: number) => void;

export class EntryLists {
  readonly #file: ImageFile;
  readonly #ranges = new Ranges();

  constructor(file: ImageFile) {
    this.#file = file;
  }

  /** @param hostOffset a multiple of 8; of what lies behind the end of the file, nothing is read */
  add(hostOffset: number, entries: number): void {
    const start = hostOffset / TABLE_ENTRY_BYTES;
    const fileEnd = Math.ceil(this.#file.sizeBytes / TABLE_ENTRY_BYTES);
    this.#ranges.add(start, Math.min(start + entries, fileEnd));
  }

  /** Reads all that has been added; throws as {@link ImageFile.read}. */
  forEach(take: TakeEntry): void {
    const buffer = new IoBuffer(PIECE_BYTES);
    for (const { start, end, count } of this.#ranges.segments()) {
      const endBytes = end * TABLE_ENTRY_BYTES;
      for (let at = start * TABLE_ENTRY_BYTES; at < endBytes; at += PIECE_BYTES) {
        const bytes = Math.min(PIECE_BYTES, endBytes - at);
        this.#file.read(buffer, 0, at, bytes);
        for (let n = 0; n < bytes; n += TABLE_ENTRY_BYTES) take(buffer.view, n, count);
      }
    }
  }
}
