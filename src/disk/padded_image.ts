/**
 * An image whose disk ends with a whole block, for who can only take whole ones.
 *
 * @module
 */
import type { Packing } from "../image/decoding.ts";
import type { Arriving } from "../image/arriving.ts";
import type { Image } from "../image/driver.ts";
import type { MappedDisk, Mapping } from "../image/mapping.ts";

/** Shows the disk of an image, and zeros behind its end; it is only read. */
export class PaddedImage implements Image {
  readonly #image: Image;
  readonly #blockBytes: number;

  constructor(image: Image, blockBytes: number) {
    this.#image = image;
    this.#blockBytes = blockBytes;
  }

  get sizeBytes(): number {
    return Math.ceil(this.#image.sizeBytes / this.#blockBytes) * this.#blockBytes;
  }

  get warnings(): readonly string[] {
    return this.#image.warnings ?? [];
  }

  get sectorBytes(): number | undefined {
    return this.#image.sectorBytes;
  }

  get fileHoles(): MappedDisk["fileHoles"] {
    return this.#image.fileHoles;
  }

  get packing(): Packing | undefined {
    return this.#image.packing;
  }

  get arriving(): Arriving | undefined {
    return this.#image.arriving;
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const inside = this.#image.sizeBytes - guestOffset;
    if (inside <= 0) mapping.setZero(lengthBytes);
    else this.#image.map(guestOffset, Math.min(lengthBytes, inside), mapping);
  }

  dropCaches(): void {
    this.#image.dropCaches?.();
  }

  [Symbol.dispose](): void {
    this.#image[Symbol.dispose]();
  }
}
