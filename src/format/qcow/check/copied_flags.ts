/**
 * The COPIED flags of an L2 table of the disk: which say of each cluster whether it is used once.
 *
 * @module
 */
import type { Header } from "../header_types.ts";
import { EntryDecoder } from "../l2.ts";
import {
  EXTENDED_ENTRY_BYTES,
  L2_COMPRESSED_HIGH,
  L2_COPIED_HIGH,
  OFFSET_MASK_HIGH,
  OFFSET_MASK_LOW,
  TABLE_ENTRY_BYTES,
} from "../layout.ts";
import type { RightCounts } from "./right_counts.ts";

export class CopiedFlags {
  readonly #header: Header;
  readonly #counts: RightCounts;
  readonly #decoder: EntryDecoder;
  readonly #entryBytes: number;

  constructor(header: Header, counts: RightCounts) {
    this.#header = header;
    this.#counts = counts;
    this.#decoder = new EntryDecoder(header);
    this.#entryBytes = header.extendedL2 ? EXTENDED_ENTRY_BYTES : TABLE_ENTRY_BYTES;
  }

  /**
   * Puts the flags of the table at `position` of `view` right.
   *
   * @returns whether any was wrong
   */
  putRight(view: DataView, position: number): boolean {
    let wasWrong = false;
    const end = position + this.#header.clusterBytes;
    for (let at = position; at < end; at += this.#entryBytes) {
      const high = view.getUint32(at);
      const right = this.#rightHigh(high, view.getUint32(at + 4));
      if (right === high) continue;
      view.setUint32(at, right);
      wasWrong = true;
    }
    return wasWrong;
  }

  /** The high half of an entry as it has to be. */
  #rightHigh(high: number, low: number): number {
    if ((high & L2_COMPRESSED_HIGH) !== 0) return withFlag(high, false);
    if (((high & OFFSET_MASK_HIGH) | (low & OFFSET_MASK_LOW)) === 0) return high;
    const { clusterBytes, hasDataFile } = this.#header;
    if (hasDataFile) return withFlag(high, true);
    const cluster = Math.floor(this.#decoder.hostOffset(high, low) / clusterBytes);
    return withFlag(high, this.#counts.get(cluster) === 1);
  }
}

/** The high half of an entry with the COPIED flag, or without it. */
export function withFlag(high: number, isCopied: boolean): number {
  return (isCopied ? high | L2_COPIED_HIGH : high & ~L2_COPIED_HIGH) >>> 0;
}
