/**
 * An open sparse image of Apple's.
 *
 * @module
 */
import type { Image } from "../../image/driver.ts";
import { SPARSEIMAGE } from "../../image/formats.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { StoredBlocks } from "../kit/stored_blocks.ts";
import type { Bands } from "./bands.ts";

export class SparseImage implements Image {
  readonly sizeBytes: number;
  readonly #bandBytes: number;
  readonly #bands: Bands;
  readonly #stored: StoredBlocks;

  constructor(
    file: ImageFile,
    bands: Bands,
    { sizeBytes, bandBytes }: { readonly sizeBytes: number; readonly bandBytes: number },
  ) {
    this.sizeBytes = sizeBytes;
    this.#bandBytes = bandBytes;
    this.#bands = bands;
    this.#stored = new StoredBlocks(file, SPARSEIMAGE.name);
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const bandBytes = this.#bandBytes;
    const band = Math.floor(guestOffset / bandBytes);
    const inBand = guestOffset - band * bandBytes;
    const hostOffset = this.#bands.offsetOf(band);
    if (hostOffset !== 0) {
      const runBytes = Math.min(lengthBytes, bandBytes - inBand);
      return this.#stored.setStored(hostOffset, hostOffset + inBand, runBytes, mapping);
    }
    const missingBytes = this.#bands.nextStored(band) * bandBytes - guestOffset;
    mapping.setZero(Math.min(lengthBytes, missingBytes));
  }

  [Symbol.dispose](): void {}
}
