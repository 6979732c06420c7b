/**
 * Finding out which image of a chain holds a run of guest bytes.
 *
 * @module
 */
import type { Image } from "./driver.ts";
import { Extent, Mapping } from "./mapping.ts";

/** Follows backing images down to where the bytes are; allocates once for each depth. */
export class ChainLookup {
  readonly #mappings: Mapping[] = [];
  #depth = 0;

  /** How many images lie above the one that gave the last answer: 0 for the top one's. */
  get depth(): number {
    return this.#depth;
  }

  /**
   * Where the guest bytes of `top` from `guestOffset` on are, for as many as one answer holds for.
   * What lies in no image, or past the end of a backing image that is too short, is Zero.
   *
   * @returns good until the next call; never Backing
   * @throws as {@link Image.map}
   */
  locate(top: Image, guestOffset: number, lengthBytes: number): Mapping {
    let image = top;
    let offset = guestOffset;
    let rest = lengthBytes;
    for (this.#depth = 0;; this.#depth++) {
      const mapping = this.#mappings[this.#depth] ??= new Mapping();
      image.map(offset, rest, mapping);
      if (mapping.kind !== Extent.Backing) return mapping;
      const { image: below, guestOffset: offsetBelow } = mapping;
      const inside = below === undefined ? 0 : below.sizeBytes - offsetBelow;
      if (below === undefined || inside <= 0) {
        mapping.setZero(mapping.lengthBytes);
        return mapping;
      }
      rest = Math.min(mapping.lengthBytes, inside);
      image = below;
      offset = offsetBelow;
    }
  }
}
