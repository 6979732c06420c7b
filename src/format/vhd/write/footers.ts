/**
 * The footer at the end of the file, and its copy at the start, while the file gets longer and shorter. A
 * footer is never written over: where the file had its end before, it stays between blocks.
 *
 *     | copy | ... | block | footer |           the file's end moves by one write, which is that of the
 *     | copy | ... | block | (old)  | hole | footer |            footer, and has holes in front of it
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import type { Footer } from "../footer.ts";
import { FOOTER_BYTES } from "../layout.ts";

export class Footers {
  readonly #file: ImageFile;
  readonly #buffer = new IoBuffer(FOOTER_BYTES);
  readonly #isRight: { readonly atEnd: boolean; readonly atStart: boolean };

  constructor(file: ImageFile, { bytes, isCopy, hasCopy }: Footer) {
    this.#file = file;
    this.#buffer.bytes.set(bytes);
    this.#isRight = { atEnd: !isCopy, atStart: hasCopy };
  }

  /**
   * Has there be both of them, durably, and cuts off what a crash has left of at least `mostBytes`.
   *
   * @param endBytes nothing behind it is in use
   * @throws {SystemError} if that cannot be written
   */
  repair(endBytes: number, mostBytes: number): void {
    const { atEnd, atStart } = this.#isRight;
    const fileEnd = wholeSectors(this.#file.sizeBytes);
    const usedEnd = wholeSectors(endBytes);
    if (fileEnd - FOOTER_BYTES - usedEnd >= mostBytes) this.moveBack(usedEnd);
    else if (!atEnd) this.moveOn(fileEnd);
    else if (atStart) return;
    this.#file.sync();
    if (atStart) return;
    this.#file.write(this.#buffer, 0, 0, FOOTER_BYTES);
    this.#file.sync();
  }

  /**
   * Has the file end with a footer at `hostOffset`, which is its end or lies behind that.
   *
   * @throws {SystemError} if that cannot be written: nothing has been changed then
   */
  moveOn(hostOffset: number): void {
    this.#file.write(this.#buffer, 0, hostOffset, FOOTER_BYTES);
  }

  /**
   * The same, but cuts off what is behind that: only once the footer is there.
   *
   * @throws {SystemError} if that cannot be done: there is a footer at the end all the same
   */
  moveBack(hostOffset: number): void {
    this.#file.write(this.#buffer, 0, hostOffset, FOOTER_BYTES);
    this.#file.sync();
    this.#file.setSize(hostOffset + FOOTER_BYTES);
  }
}

/** A table need not end with a sector, but what follows it begins with one. */
function wholeSectors(bytes: number): number {
  return Math.ceil(bytes / FOOTER_BYTES) * FOOTER_BYTES;
}
