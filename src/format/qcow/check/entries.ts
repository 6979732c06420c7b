/**
 * The entries of one L2 table after the other: each is looked at, and what it refers to counted.
 *
 * @module
 */
import { hex } from "../errors.ts";
import type { Header } from "../header_types.ts";
import { EntryDecoder } from "../l2.ts";
import {
  EXTENDED_ENTRY_BYTES,
  L2_COMPRESSED_HIGH,
  L2_COPIED_HIGH,
  L2_ZERO_LOW,
  OFFSET_MASK_HIGH,
  OFFSET_MASK_LOW,
  TABLE_ENTRY_BYTES,
} from "../layout.ts";
import type { Findings } from "./findings.ts";
import type { References } from "./references.ts";
import type { StoredCounts } from "./stored_counts.ts";

/** Bits of a standard entry that mean nothing: 56-61 and 1-8. */
const RESERVED = { high: 0x3f00_0000, low: 0x1fe } as const;

/** What is known of the clusters of a disk. */
export interface Fill {
  readonly allocated: number;
  readonly fragmented: number;
  readonly compressed: number;
}

export interface EntriesParts {
  readonly header: Header;
  readonly findings: Findings;
  readonly references: References;
  readonly stored: StoredCounts;
}

export class Entries {
  readonly #header: Header;
  readonly #findings: Findings;
  readonly #references: References;
  readonly #stored: StoredCounts;
  readonly #decoder: EntryDecoder;
  readonly #entryBytes: number;
  /** Flags of an entry that make its cluster zeros; none in extended entries. */
  readonly #zeroLow: number;
  #allocated = 0;
  #fragmented = 0;
  #compressed = 0;
  /** How many L1 entries lead to the table that is looked at, and how many of the disk's. */
  #times = 0;
  #activeTimes = 0;
  #misplacedZeros = 0;
  /** Where the next cluster of this table had to be if they lay behind one another; 0 if unknown. */
  #nextOffset = 0;

  constructor({ header, findings, references, stored }: EntriesParts) {
    this.#header = header;
    this.#findings = findings;
    this.#references = references;
    this.#stored = stored;
    this.#decoder = new EntryDecoder(header);
    this.#entryBytes = header.extendedL2 ? EXTENDED_ENTRY_BYTES : TABLE_ENTRY_BYTES;
    this.#zeroLow = header.extendedL2 ? 0 : L2_ZERO_LOW;
  }

  get fill(): Fill {
    return {
      allocated: this.#allocated,
      fragmented: this.#fragmented,
      compressed: this.#compressed,
    };
  }

  /** How many clusters are zeros, and have a place where none can be. */
  get misplacedZeros(): number {
    return this.#misplacedZeros;
  }

  /** Looks at the table at `position` of `view`, to which so many L1 entries lead. */
  takeTable(view: DataView, position: number, times: number, activeTimes: number): void {
    this.#times = times;
    this.#activeTimes = activeTimes;
    this.#nextOffset = 0;
    const end = position + this.#header.clusterBytes;
    const isExtended = this.#header.extendedL2;
    for (let at = position; at < end; at += this.#entryBytes) {
      const high = view.getUint32(at);
      const low = view.getUint32(at + 4);
      if (isExtended) {
        this.#take(high, low, view.getUint32(at + 8), view.getUint32(at + 12));
      } else if (high !== 0 || low !== 0) this.#take(high, low, 0, 0);
    }
  }

  /** @param zeros @param allocated bitmaps of an extended entry, else 0 */
  #take(high: number, low: number, zeros: number, allocated: number): void {
    if ((high & L2_COMPRESSED_HIGH) !== 0) {
      return this.#takeCompressed(high, low, (zeros | allocated) !== 0);
    }
    const isZero = (low & this.#zeroLow) !== 0;
    const isMisplaced = this.#isMisplaced(high, low, this.#needsNoPlace(isZero, allocated));
    if ((high & RESERVED.high) !== 0 || (low & RESERVED.low) !== 0) {
      const look = (): void => this.#corrupt("has reserved bits", high, low);
      if (isMisplaced) this.#findings.asMended(look);
      else look();
    }
    if (isZero && this.#header.version < 3) {
      this.#corrupt("is one of zeros, in version 2", high, low);
    }
    const hasOffset = ((high & OFFSET_MASK_HIGH) | (low & OFFSET_MASK_LOW)) !== 0;
    if (hasOffset) {
      const hasBadBitmap = (zeros & allocated) !== 0;
      if (isMisplaced) this.#takeMisplaced(high, low, hasBadBitmap);
      else this.#takeCluster(high, low, hasBadBitmap);
      return;
    }
    if (isZero) return;
    if (this.#header.hasDataFile && (high & L2_COPIED_HIGH) !== 0) {
      return this.#takeCluster(high, low, (zeros & allocated) !== 0);
    }
    if (allocated !== 0) this.#corrupt("has no place, but allocated subclusters", high, low);
  }

  /** A cluster of zeros where none can be. */
  #takeMisplaced(high: number, low: number, hasBadBitmap: boolean): void {
    this.#misplacedZeros++;
    this.#findings.asMended(() => this.#takeCluster(high, low, hasBadBitmap));
  }

  /** Whether a cluster has no bytes of its own. */
  #needsNoPlace(isZero: boolean, allocated: number): boolean {
    return this.#header.extendedL2 ? allocated === 0 : isZero;
  }

  /** Whether a cluster that needs no place has one where none can be. */
  #isMisplaced(high: number, low: number, needsNone: boolean): boolean {
    if (!needsNone || ((high & OFFSET_MASK_HIGH) | (low & OFFSET_MASK_LOW)) === 0) return false;
    return !this.#canBePlace(this.#decoder.hostOffset(high, low));
  }

  /** Whether a cluster can be at a place. */
  #canBePlace(offset: number): boolean {
    const { clusterBytes, hasDataFile } = this.#header;
    if (offset % clusterBytes !== 0) return false;
    return hasDataFile || this.#references.isInFile(offset, clusterBytes);
  }

  #corrupt(what: string, high: number, low: number): void {
    const offset = this.#decoder.hostOffset(high, low);
    this.#findings.lasting(() => `L2 entry for the cluster at ${hex(offset)} ${what}`, this.#times);
  }

  #takeCompressed(high: number, low: number, hasBitmap: boolean): void {
    const offset = this.#decoder.compressedOffset(high, low);
    const describe = (what: string) => (): string => `compressed cluster at ${hex(offset)} ${what}`;
    const lasting = (what: string): void => this.#findings.lasting(describe(what), this.#times);
    if ((high & L2_COPIED_HIGH) !== 0) {
      // Of tables, only those of the disk are changed.
      const isOfDisk = this.#activeTimes === this.#times;
      const marked = describe("is marked as used once");
      if (isOfDisk) this.#findings.corrupt(marked, this.#times);
      else this.#findings.lasting(marked, this.#times);
    }
    if (this.#header.hasDataFile) return lasting("is in an image with a data file");
    if (hasBitmap) return lasting("has subclusters");
    this.#references.add(offset, this.#decoder.compressedBytes(high, low), this.#times);
    this.#allocated += this.#activeTimes;
    this.#compressed += this.#activeTimes;
    this.#fragmented += this.#activeTimes;
  }

  #takeCluster(high: number, low: number, hasBadBitmap: boolean): void {
    const { clusterBytes, hasDataFile } = this.#header;
    const offset = this.#decoder.hostOffset(high, low);
    if (hasBadBitmap) this.#corrupt("has subclusters that are allocated and zero", high, low);
    if (offset % clusterBytes !== 0) {
      this.#findings.unreadable(() => `cluster at ${hex(offset)} is not aligned`, this.#times);
    }
    if (this.#activeTimes > 0) this.#countPlace(offset);
    if (!hasDataFile) this.#references.add(offset, clusterBytes, this.#times);
    if (this.#activeTimes > 0) this.#checkCopied(high, offset);
  }

  #countPlace(offset: number): void {
    this.#allocated += this.#activeTimes;
    if (this.#nextOffset !== 0 && offset !== this.#nextOffset) {
      this.#fragmented += this.#activeTimes;
    }
    this.#nextOffset = offset + this.#header.clusterBytes;
  }

  #checkCopied(high: number, offset: number): void {
    const { clusterBytes, hasDataFile } = this.#header;
    const isCopied = (high & L2_COPIED_HIGH) !== 0;
    const count = hasDataFile ? 1 : this.#stored.get(Math.floor(offset / clusterBytes));
    if (isCopied === (count === 1)) return;
    const is = isCopied ? "is" : "is not";
    this.#findings.wrongFlag(
      () => `cluster at ${hex(offset)} ${is} marked as used once, but counts ${count}`,
      this.#activeTimes,
    );
  }
}
