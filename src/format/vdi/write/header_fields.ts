/**
 * The fields of the header that change when the image is written to.
 *
 * @module
 */
import { Level, type Updates } from "../../../image/updates.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { GUID_BYTES, randomGuid } from "../../kit/guid.ts";
import { HEADER } from "../layout.ts";

const COUNT_BYTES = 4;

export class HeaderFields {
  readonly #file: ImageFile;
  /** How many blocks the header says are stored, durably, and in what was taken last. */
  #durableCount: number;
  #takenCount: number;
  readonly #count = new IoBuffer(COUNT_BYTES);

  constructor(file: ImageFile, count: number) {
    this.#file = file;
    this.#durableCount = count;
    this.#takenCount = count;
  }

  /**
   * Gives the image a new modification UUID, durably: what was made on top of it, as it was, finds that out.
   * So is the count then.
   *
   * @throws {SystemError} if that cannot be written
   */
  begin(count: number): void {
    const guid = new IoBuffer(GUID_BYTES);
    guid.bytes.set(randomGuid());
    this.#file.write(guid, 0, HEADER.offsets.uuid_modified, GUID_BYTES);
    if (this.lacks(count)) this.writeCount(count);
    this.#file.takeUnsynced();
    this.#file.sync();
    this.#durableCount = count;
    this.#takenCount = count;
  }

  /** Whether the header does not say yet that there are `count` blocks. */
  lacks(count: number): boolean {
    return count !== this.#durableCount;
  }

  /** Adds the count, if it has to be written: it has to be there before what it counts is referred to. */
  takeUpdates(updates: Updates, count: number): void {
    this.#takenCount = count;
    if (!this.lacks(count)) return;
    updates.add(Level.Counts, this.#file, HEADER.offsets.blocks_allocated, this.#encoded(count));
  }

  /** Says whether what was taken last is durable. */
  updated(isDurable: boolean): void {
    if (isDurable) this.#durableCount = this.#takenCount;
  }

  /** Writes the count at once; throws {@link SystemError} if that cannot be done. */
  writeCount(count: number): void {
    this.#encoded(count);
    this.#file.write(this.#count, 0, HEADER.offsets.blocks_allocated, COUNT_BYTES);
  }

  #encoded(count: number): Uint8Array {
    this.#count.view.setUint32(0, count, true);
    return this.#count.bytes;
  }
}
