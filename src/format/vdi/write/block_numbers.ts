/**
 * Which numbers of stored blocks are in use. They are given out in their order; numbers that nobody uses,
 * as a crash can leave them, come first, so that none ever reaches the number of blocks.
 *
 *     | used | used | unused | used | never given out
 *                                    ^ #cursor, which is the count in the header
 *
 * @module
 */
import { ImageFormatError } from "../../../image/errors.ts";
import { VDI } from "../../../image/formats.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import type { Header } from "../header.ts";
import { ENTRY_ZERO } from "../layout.ts";
import { canBeStored, mapEntries } from "../map_entries.ts";

/** Numbers that lie side by side. */
export interface NumberRun {
  readonly first: number;
  readonly count: number;
}

export class BlockNumbers {
  /** A bit for each number. */
  readonly #used: Uint8Array;
  /** No number below it is unused. */
  #search = 0;
  #cursor: number;

  /**
   * Reads the whole map.
   *
   * @throws {ImageFormatError} if two blocks are stored in the same place, or one where none can be
   * @throws {SystemError} if the map cannot be read
   */
  constructor(file: ImageFile, header: Header) {
    const { allocated, blocks } = header;
    const refuse = (message: string): never => {
      throw new ImageFormatError(VDI.name, file.path, message);
    };
    if (allocated > blocks) refuse(`${allocated} of ${blocks} blocks cannot be stored`);
    this.#used = new Uint8Array(Math.ceil(blocks / 8));
    this.#cursor = allocated;
    for (const entry of mapEntries(file, header)) {
      if (entry >= ENTRY_ZERO) continue;
      if (!canBeStored(entry, file, header)) refuse(`block number ${entry} cannot be in the file`);
      if (this.#isUsed(entry)) refuse(`block number ${entry} is stored for two blocks`);
      this.#setUsed(entry);
      this.#cursor = Math.max(this.#cursor, entry + 1);
    }
  }

  #isUsed(number: number): boolean {
    return ((this.#used[Math.floor(number / 8)] ?? 0) & 1 << number % 8) !== 0;
  }

  #setUsed(number: number): void {
    const at = Math.floor(number / 8);
    this.#used[at] = (this.#used[at] ?? 0) | 1 << number % 8;
  }

  /** All that are in use are less. */
  get count(): number {
    return this.#cursor;
  }

  /** The one that is given out next. */
  get next(): number {
    while (this.#search < this.#cursor && this.#isUsed(this.#search)) this.#search++;
    return this.#search;
  }

  /** Gives out up to `most` numbers, all of which are below `boundary`, or none of them. */
  take(most: number, boundary: number): NumberRun {
    const first = this.next;
    let count = 0;
    for (; count < most && !this.#isUsed(first + count); count++) {
      // Behind the cursor, all are unused: none of them is mixed with those that were given out before.
      if (count > 0 && first + count === this.#cursor && first < this.#cursor) break;
      if (count > 0 && first + count === boundary) break;
      this.#setUsed(first + count);
    }
    this.#search = first + count;
    this.#cursor = Math.max(this.#cursor, this.#search);
    return { first, count };
  }

  /** Takes numbers back that nobody has come to use. */
  giveBack({ first, count }: NumberRun): void {
    for (let number = first; number < first + count; number++) {
      const at = Math.floor(number / 8);
      this.#used[at] = (this.#used[at] ?? 0) & ~(1 << number % 8);
    }
    this.#search = Math.min(this.#search, first);
  }

  /** Has the numbers at the end that nobody uses be as if they had never been given out. */
  dropUnusedEnd(): void {
    while (this.#cursor > 0 && !this.#isUsed(this.#cursor - 1)) this.#cursor--;
    this.#search = Math.min(this.#search, this.#cursor);
  }
}
