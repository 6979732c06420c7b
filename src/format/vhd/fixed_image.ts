/**
 * A fixed image: the disk, and a footer behind it.
 *
 * @module
 */
import type { Image } from "../../image/driver.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { Writing } from "../../image/writing.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { FixedWriting } from "./write/fixed_writing.ts";

export class FixedVhd implements Image {
  readonly fileHoles = "zeros";
  readonly sizeBytes: number;
  readonly writing: Writing | undefined;
  readonly #file: ImageFile;

  constructor(
    file: ImageFile,
    { sizeBytes, readOnly }: { readonly sizeBytes: number; readonly readOnly: boolean },
  ) {
    this.#file = file;
    this.sizeBytes = sizeBytes;
    if (!readOnly) this.writing = new FixedWriting(file);
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    mapping.setData(this.#file, guestOffset, lengthBytes);
  }

  [Symbol.dispose](): void {}
}
