/**
 * RAW: the file or block device is the disk.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { RAW } from "../../image/formats.ts";
import { exact } from "../../image/exact.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { Growth, Placement, Writing } from "../../image/writing.ts";
import type { ImageFile } from "../../storage/image_file.ts";

/** The RAW driver. It has no magic and takes every file: the last one to ask. */
export const raw: FormatDriver = {
  ...RAW,
  magics: [],
  open: (file: ImageFile, options: OpenOptions): Image => new RawImage(file, options.readOnly),
  info: (file: ImageFile): ImageInfo => ({
    format: "raw",
    sizeBytes: exact(file.exactSize()),
  }),
};

class RawImage implements Image {
  readonly fileHoles = "absent";
  readonly writing: Writing | undefined;
  readonly #file: ImageFile;

  constructor(file: ImageFile, readOnly: boolean) {
    this.#file = file;
    if (!readOnly) this.writing = new RawWriting(file);
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    mapping.setData(this.#file, guestOffset, lengthBytes);
  }

  [Symbol.dispose](): void {}
}

class RawWriting implements Writing {
  readonly files: readonly ImageFile[];
  readonly writers = "any";
  readonly growth: Growth;
  readonly #file: ImageFile;

  constructor(file: ImageFile) {
    this.files = [file];
    this.growth = new RawGrowth(file);
    this.#file = file;
  }

  place(guestOffset: number, lengthBytes: number, placement: Placement): void {
    placement.setDirect(this.#file, guestOffset, lengthBytes);
  }
}

class RawGrowth implements Growth {
  readonly #file: ImageFile;
  #sizeBytes = 0;

  constructor(file: ImageFile) {
    this.#file = file;
  }

  prepare(sizeBytes: number): void {
    if (!this.#file.canGrow) throw new RangeError("a block device does not grow with its content");
    this.#refuseOtherSize();
    this.#sizeBytes = sizeBytes;
  }

  /** What somebody else has put behind the end that is known here would be cleared, or cut off. */
  #refuseOtherSize(): void {
    const now = this.#file.exactSize();
    if (now === BigInt(this.#file.sizeBytes)) return;
    throw new RangeError(`its file has ${now} bytes by now (--set-capacity takes notice of that)`);
  }

  finish(): void {
    this.#file.setSize(this.#sizeBytes);
    this.#file.sync();
  }
}
