/**
 * The bytes of changes that are to be made anew, held where the image is not: one of them may get the
 * place of another one.
 *
 *     store   | other things | bytes of change 0 | bytes of change 1 | ...
 *                            ^ storeOffset
 *
 * They stay there until all is durable, so that this can begin anew, too.
 *
 * @module
 */
import type { ImageFile } from "../storage/image_file.ts";
import { IoBuffer } from "../sys/memory.ts";
import type { ChangeJournal, KeptChange, KeptChanges } from "./change_journal.ts";
import { KeptKind } from "./change_journal.ts";

const COPIED_BYTES = 1024 * 1024;

export class SecuredBytes {
  readonly #store: ImageFile;
  readonly #startBytes: number;

  constructor({ store, storeOffset }: Pick<KeptChanges, "store" | "storeOffset">) {
    this.#store = store;
    this.#startBytes = storeOffset;
  }

  /**
   * Has the bytes of all changes held, if they are not yet. Nothing has been written to the image before
   * that.
   *
   * @throws {SystemError} if they cannot be read, or there is no room
   * @throws {Error} if nobody knows where they are
   */
  take(journal: ChangeJournal): void {
    if (journal.isSecured) return;
    // Of an earlier try.
    this.drop();
    const buffer = IoBuffer.ofPages(COPIED_BYTES);
    for (const [change, position] of this.of(journal)) {
      if (change.kind !== KeptKind.Data) continue;
      if (change.file === undefined) throw new Error("bytes in a file that is none of the image's");
      this.#copy(change.file, change, position, buffer);
    }
    journal.setSecured();
  }

  /** What is not stored stays a hole. */
  #copy(
    file: ImageFile,
    { hostOffset, lengthBytes }: KeptChange,
    position: number,
    buffer: IoBuffer,
  ): void {
    for (let done = 0; done < lengthBytes;) {
      const most = Math.min(lengthBytes - done, COPIED_BYTES);
      const stored = file.storedBytes(hostOffset + done, most);
      if (stored > 0) {
        file.read(buffer, 0, hostOffset + done, stored);
        this.#store.write(buffer, 0, position + done, stored);
      }
      done += Math.abs(stored);
    }
  }

  /** All changes, each with the place of its bytes in the store, if it has any. */
  *of(journal: ChangeJournal): Generator<readonly [change: KeptChange, position: number]> {
    let position = this.#startBytes;
    for (const change of journal.changes()) {
      yield [change, position];
      if (change.kind === KeptKind.Data) position += change.lengthBytes;
    }
  }

  /** How many bytes at `position` are alike: stored, or, as a negative number, zeros. */
  stored(position: number, lengthBytes: number): number {
    return this.#store.storedBytes(position, lengthBytes);
  }

  read(target: IoBuffer, position: number, lengthBytes: number): void {
    this.#store.read(target, 0, position, lengthBytes);
  }

  /** Gives the memory back. */
  drop(): void {
    this.#store.setSize(this.#startBytes);
  }
}
