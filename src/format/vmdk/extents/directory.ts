/**
 * A directory of grain tables, which is in memory.
 *
 * @module
 */
import type { MemoryLimit } from "../../../image/driver.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { ENTRY_BYTES, SECTOR_BYTES } from "../layout.ts";

export class Directory {
  readonly #entries: IoBuffer;

  /**
   * Reads it; it lies in the file.
   *
   * @param entries how many there are
   * @throws {RangeError} if it takes too much memory
   * @throws {SystemError} if it cannot be read
   */
  constructor(
    file: ImageFile,
    { hostOffset, entries }: { readonly hostOffset: number; readonly entries: number },
    memory: MemoryLimit | undefined,
  ) {
    memory?.reserveMemory(entries * ENTRY_BYTES);
    this.#entries = new IoBuffer(entries * ENTRY_BYTES);
    file.read(this.#entries, 0, hostOffset, this.#entries.size);
  }

  /** How many tables there can be. */
  get count(): number {
    return this.#entries.size / ENTRY_BYTES;
  }

  /** Where table number `index` begins in the file; 0 if there is none. */
  hostOffset(index: number): number {
    return this.#entries.view.getUint32(index * ENTRY_BYTES, true) * SECTOR_BYTES;
  }
}
