/**
 * Finding the bits of sectors.
 *
 * @module
 */
import type { Blockable } from "../kit/flat_table.ts";
import { bitRun, isBitSet } from "../kit/sector_bits.ts";
import type { StoredBlocks } from "../kit/stored_blocks.ts";
import type { Bat } from "./bat.ts";
import { BITMAP_PRESENT, CHUNK_SECTORS, PAGE_BYTES } from "./layout.ts";
import type { MetadataPages } from "./metadata_pages.ts";
import type { Shape } from "./shape.ts";

/** One page has the bits of so many sectors. */
export const SECTORS_IN_PAGE: number = 8 * PAGE_BYTES;
/** There is no block of bits for the chunk: no bit is set. */
const NO_BITS = -2;

/** What the bits are found in. */
export interface BitsParts {
  readonly pages: MetadataPages;
  readonly bat: Bat;
  readonly shape: Shape;
  readonly stored: StoredBlocks;
}

export class ChunkBits {
  readonly #parts: BitsParts;

  constructor(parts: BitsParts) {
    this.#parts = parts;
  }

  /**
   * How many of `lengthBytes` from `guestOffset` on, which are of one block, are in this image, or, as a
   * negative number, in the one below; 0 where `request` now says Blocked.
   *
   * @throws {ImageFormatError | SystemError} if that cannot be found out
   */
  find(guestOffset: number, lengthBytes: number, request: Blockable): number {
    const { pages: { bytes }, shape: { sectorBytes } } = this.#parts;
    const first = Math.floor(guestOffset / sectorBytes);
    const page = this.#findPage(first, request);
    if (page === NO_BITS) return -lengthBytes;
    if (page < 0) return 0;
    const sector = first % SECTORS_IN_PAGE;
    const wanted = Math.ceil((guestOffset + lengthBytes) / sectorBytes) - first;
    const count = Math.min(wanted, SECTORS_IN_PAGE - sector);
    const run = bitRun(bytes, page, { sector, count });
    const runBytes = Math.min((first + run) * sectorBytes - guestOffset, lengthBytes);
    return isBitSet(bytes, page, sector) ? runBytes : -runBytes;
  }

  /** Position of the page with the bit of a sector of the disk; -1 if Blocked. */
  #findPage(sector: number, request: Blockable): number {
    const chunk = Math.floor(sector / CHUNK_SECTORS);
    const { bat, pages, stored } = this.#parts;
    const position = bat.findBits(chunk, request);
    if (position < 0) return position;
    if (bat.state(position) !== BITMAP_PRESENT) return NO_BITS;
    const hostOffset = bat.hostOffset(position);
    stored.requireInFile(hostOffset);
    return pages.find(hostOffset + pageInBits(sector), request);
  }
}

/** Where the page with the bit of a sector of the disk is among the bits of its chunk, in bytes. */
export function pageInBits(sector: number): number {
  return Math.floor(sector % CHUNK_SECTORS / SECTORS_IN_PAGE) * PAGE_BYTES;
}
