/**
 * An open sparse bundle.
 *
 * @module
 */
import type { Image } from "../../image/driver.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { baseName } from "../../sys/paths.ts";
import type { BundleInfo } from "./property_list.ts";

export class BundledDisk implements Image {
  readonly fileHoles = "zeros";
  readonly sizeBytes: number;
  readonly #bandBytes: number;
  /** By their numbers. */
  readonly #bands = new Map<number, ImageFile>();
  /** The numbers of all bands, in order. */
  readonly #numbers: Float64Array;

  /** @param bands each called by its number */
  constructor({ sizeBytes, bandBytes }: BundleInfo, bands: readonly ImageFile[]) {
    this.sizeBytes = sizeBytes;
    this.#bandBytes = bandBytes;
    for (const file of bands) this.#bands.set(parseInt(baseName(file.path), 16), file);
    this.#numbers = Float64Array.from(this.#bands.keys()).sort();
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const bandBytes = this.#bandBytes;
    const number = Math.floor(guestOffset / bandBytes);
    const inBand = guestOffset - number * bandBytes;
    const band = this.#bands.get(number);
    if (band === undefined) {
      return mapping.setZero(Math.min(lengthBytes, this.#nextAfter(number) - guestOffset));
    }
    const runBytes = Math.min(lengthBytes, bandBytes - inBand);
    const inFile = band.sizeBytes - inBand;
    if (inFile <= 0) return mapping.setZero(runBytes);
    mapping.setData(band, inBand, Math.min(runBytes, inFile));
  }

  /** Where the first band behind number `number` begins on the disk; Infinity if there is none. */
  #nextAfter(number: number): number {
    let low = 0;
    let high = this.#numbers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#numbers[middle] ?? Infinity) <= number) low = middle + 1;
      else high = middle;
    }
    return (this.#numbers[low] ?? Infinity) * this.#bandBytes;
  }

  [Symbol.dispose](): void {}
}
