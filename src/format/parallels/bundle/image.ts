/**
 * An open disk that is a folder: its parts, one behind the other.
 *
 * @module
 */
import type { Image } from "../../../image/driver.ts";
import type { MappedDisk, Mapping } from "../../../image/mapping.ts";
import type { Writing } from "../../../image/writing.ts";
import { Parts } from "../../kit/parts.ts";

/** What it consists of. */
export interface BundleParts {
  readonly parts: readonly MappedDisk[];
  /** All images in them that have tables. */
  readonly images: readonly Image[];
  readonly sectorBytes: number | undefined;
  readonly writing: Writing | undefined;
}

export class BundleImage implements Image {
  readonly sizeBytes: number;
  readonly fileHoles: MappedDisk["fileHoles"];
  readonly sectorBytes: number | undefined;
  readonly writing: Writing | undefined;
  readonly warnings: readonly string[];
  readonly #disk: MappedDisk;
  readonly #images: readonly Image[];

  constructor({ parts, images, sectorBytes, writing }: BundleParts) {
    const [only, ...more] = parts;
    this.#disk = only !== undefined && more.length === 0 ? only : new Parts(parts);
    this.#images = images;
    this.sizeBytes = this.#disk.sizeBytes;
    this.fileHoles = this.#disk.fileHoles;
    this.sectorBytes = sectorBytes;
    this.writing = writing;
    this.warnings = images.flatMap(({ warnings = [] }) => warnings);
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    this.#disk.map(guestOffset, lengthBytes, mapping);
  }

  dropCaches(): void {
    for (const image of this.#images) image.dropCaches?.();
  }

  [Symbol.dispose](): void {
    for (const image of this.#images) image[Symbol.dispose]();
  }
}
