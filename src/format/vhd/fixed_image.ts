/**
 * A fixed image: the disk, and a footer behind it.
 *
 * @module
 */
import type { Image } from "../../image/driver.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { ImageFile } from "../../storage/image_file.ts";

export class FixedVhd implements Image {
  readonly fileHoles = "zeros";
  readonly sizeBytes: number;
  readonly #file: ImageFile;

  constructor(file: ImageFile, sizeBytes: number) {
    this.#file = file;
    this.sizeBytes = sizeBytes;
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    mapping.setData(this.#file, guestOffset, lengthBytes);
  }

  [Symbol.dispose](): void {}
}
