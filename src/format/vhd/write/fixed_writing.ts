/**
 * What changes a fixed image: its bytes are where they are, and its footer says nothing that changes.
 *
 * @module
 */
import type { Placement, Writing } from "../../../image/writing.ts";
import type { ImageFile } from "../../../storage/image_file.ts";

export class FixedWriting implements Writing {
  readonly files: readonly ImageFile[];
  readonly writers = "any";
  readonly #file: ImageFile;

  constructor(file: ImageFile) {
    this.files = [file];
    this.#file = file;
  }

  place(guestOffset: number, lengthBytes: number, placement: Placement): void {
    placement.setDirect(this.#file, guestOffset, lengthBytes);
  }
}
