/**
 * Entries of the block allocation table.
 *
 * @module
 */
import type { Blockable } from "../kit/flat_table.ts";
import {
  ALIGNMENT,
  BAT_ENTRY_BYTES,
  BlockState,
  PAGE_BYTES,
  PLACE_SHIFT,
  STATE_MASK,
} from "./layout.ts";
import type { MetadataPages } from "./metadata_pages.ts";
import type { Shape } from "./shape.ts";

/** An entry is two words: of its place in MiB, the first one has 12 bits. */
const PLACES_IN_WORD = 2 ** (32 - PLACE_SHIFT);

/** Finds entries, and says what they mean; positions are those of the pages' view. */
export class Bat {
  readonly #pages: MetadataPages;
  readonly #shape: Shape;

  constructor(pages: MetadataPages, shape: Shape) {
    this.#pages = pages;
    this.#shape = shape;
  }

  /** Position of the entry of a block; -1 where `request` now says Blocked. */
  find(block: number, request: Blockable): number {
    return this.#findEntry(block + Math.floor(block / this.#shape.blocksInChunk), request);
  }

  /** Position of the entry for the bits of a chunk; -1 where `request` now says Blocked. */
  findBits(chunk: number, request: Blockable): number {
    const { blocksInChunk } = this.#shape;
    return this.#findEntry(chunk * (blocksInChunk + 1) + blocksInChunk, request);
  }

  #findEntry(index: number, request: Blockable): number {
    return this.#pages.find(this.#shape.batOffset + index * BAT_ENTRY_BYTES, request);
  }

  /** One of {@link BlockState}, or 4. */
  state(position: number): number {
    return this.#pages.view.getUint32(position, true) & STATE_MASK;
  }

  /** Where it is in the file; exact where that is possible at all. */
  hostOffset(position: number): number {
    const { view } = this.#pages;
    const [low, high] = [view.getUint32(position, true), view.getUint32(position + 4, true)];
    return (high * PLACES_IN_WORD + (low >>> PLACE_SHIFT)) * ALIGNMENT;
  }

  /** Has the entry at `position` be another one, which has to be written. */
  set(position: number, state: number, hostOffset: number): void {
    const { view } = this.#pages;
    const place = hostOffset / ALIGNMENT;
    const low = place % PLACES_IN_WORD * 2 ** PLACE_SHIFT + state;
    view.setUint32(position, low, true);
    view.setUint32(position + 4, Math.floor(place / PLACES_IN_WORD), true);
    this.#pages.markDirty(position);
  }

  /**
   * How many of `lengthBytes` from `guestOffset` on, whose entry is at `position`, are alike: stored behind
   * each other, or all of one kind of what is not stored.
   */
  runBytes(position: number, guestOffset: number, lengthBytes: number): number {
    const { blockBytes, blocksInChunk } = this.#shape;
    const inBlock = guestOffset % blockBytes;
    const block = Math.floor(guestOffset / blockBytes);
    const wanted = Math.ceil((inBlock + lengthBytes) / blockBytes);
    const inPage = (PAGE_BYTES - position % PAGE_BYTES) / BAT_ENTRY_BYTES;
    const most = Math.min(wanted, inPage, blocksInChunk - block % blocksInChunk);
    const count = wanted === 1 ? 1 : this.#countAlike(position, most);
    return Math.min(count * blockBytes - inBlock, lengthBytes);
  }

  #countAlike(position: number, most: number): number {
    const state = this.state(position);
    if (state === BlockState.partiallyPresent) return 1;
    const first = this.hostOffset(position);
    const isStored = state === BlockState.fullyPresent;
    let count = 1;
    for (; count < most; count++) {
      const at = position + count * BAT_ENTRY_BYTES;
      if (this.state(at) !== state) break;
      if (isStored && this.hostOffset(at) !== first + count * this.#shape.blockBytes) break;
    }
    return count;
  }
}
