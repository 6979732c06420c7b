/**
 * RAW: the file or block device is the disk.
 *
 * @module
 */
import type { FormatDriver, Image, OpenOptions } from "../../image/driver.ts";
import { RAW } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import type { ImageInfo } from "../../image/info.ts";
import type { Mapping } from "../../image/mapping.ts";
import { EINVAL, SystemError } from "../../sys/errno.ts";

// linux/falloc.h
const FALLOC_FL_KEEP_SIZE = 0x01;
const FALLOC_FL_PUNCH_HOLE = 0x02;
const FALLOC_FL_ZERO_RANGE = 0x10;

/** The RAW driver. It has no magic and takes every file: the last one to ask. */
export const raw: FormatDriver = {
  ...RAW,
  magics: [],
  open: (file: ImageFile, options: OpenOptions): Image => new RawImage(file, options.readOnly),
  info: ({ sizeBytes }: ImageFile): ImageInfo => ({ format: "raw", sizeBytes }),
};

class RawImage implements Image {
  readonly readOnly: boolean;
  readonly fileHoles = "absent";
  readonly filesToSync: readonly ImageFile[];
  readonly #file: ImageFile;

  constructor(file: ImageFile, readOnly: boolean) {
    this.readOnly = readOnly;
    this.filesToSync = readOnly ? [] : [file];
    this.#file = file;
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    mapping.setData(this.#file, guestOffset, lengthBytes);
  }

  discard(guestOffset: number, lengthBytes: number): void {
    this.#allocate(FALLOC_FL_PUNCH_HOLE, guestOffset, lengthBytes);
  }

  writeZeroes(guestOffset: number, lengthBytes: number, keepAllocated: boolean): boolean {
    if (!keepAllocated && this.#allocate(FALLOC_FL_PUNCH_HOLE, guestOffset, lengthBytes)) {
      return true;
    }
    return this.#allocate(FALLOC_FL_ZERO_RANGE, guestOffset, lengthBytes);
  }

  /** A block device refuses ranges that are not whole logical blocks: that is not a failure. */
  #allocate(mode: number, guestOffset: number, lengthBytes: number): boolean {
    try {
      return this.#file.allocate(mode | FALLOC_FL_KEEP_SIZE, guestOffset, lengthBytes);
    } catch (error) {
      if (error instanceof SystemError && error.errno === EINVAL) return false;
      throw error;
    }
  }

  [Symbol.dispose](): void {}
}
