/**
 * Changing extended L2 entries: one for each cluster, with two bits for each of its 32 subclusters.
 *
 * @module
 */
import { Cleared, type Placement } from "../../../image/writing.ts";
import { Cluster, type EntryDecoder } from "../l2.ts";
import { EXTENDED_ENTRY_BYTES, L2_COPIED_HIGH, SUBCLUSTERS } from "../layout.ts";
import {
  type Clearing,
  EntryAccess,
  type EntryParts,
  type EntryWriter,
  NO_SLICE,
} from "./entry_writer.ts";

/** Where the halves of the bitmap are in an entry: first the zero bits, then the allocation bits. */
const ZERO_BITS_OFFSET = 8;
const ALLOCATED_BITS_OFFSET = 12;
const ALL = 0xffff_ffff;

export class ExtendedEntries implements EntryWriter {
  readonly unitBytes: number;
  readonly #clusterBytes: number;
  readonly #parts: EntryParts;
  readonly #view: DataView;
  readonly #access: EntryAccess;
  readonly #decoder: EntryDecoder;

  constructor(parts: EntryParts) {
    this.#parts = parts;
    this.#view = parts.slices.view;
    this.#clusterBytes = parts.header.clusterBytes;
    this.unitBytes = this.#clusterBytes / SUBCLUSTERS;
    this.#access = new EntryAccess(parts);
    this.#decoder = this.#access.decoder;
  }

  place(slice: number, isOwn: boolean, lengthBytes: number, placement: Placement): void {
    const { guestOffset } = placement;
    const { hasBacking, dataFile } = this.#parts;
    const inCluster = guestOffset & (this.#clusterBytes - 1);
    const first = Math.floor(inCluster / this.unitBytes);
    placement.readsAsZeros = !hasBacking;
    if (slice === NO_SLICE) {
      return this.#placeFresh(placement, lengthBytes, this.unitBytes, SUBCLUSTERS - first);
    }
    const position = this.#positionOf(slice, guestOffset);
    const kind = this.#kindAt(position);
    if (kind === Cluster.Damaged) throw this.#access.damagedEntry(guestOffset, position);
    const isShared = kind === Cluster.Normal && dataFile === undefined &&
      !(isOwn && this.#decoder.isCopied(this.#view.getUint32(position)));
    if (kind === Cluster.Compressed || isShared) {
      // All of it has to go elsewhere.
      this.#access.refuseDrop(guestOffset - inCluster, position);
      placement.readsAsZeros = false;
      return this.#placeFresh(placement, lengthBytes, this.#clusterBytes, 1);
    }
    const allocated = this.#view.getUint32(position + ALLOCATED_BITS_OFFSET);
    if ((allocated >>> first & 1) !== 0) {
      return this.#placeDirect(position, allocated, lengthBytes, placement);
    }
    const zero = this.#view.getUint32(position + ZERO_BITS_OFFSET);
    placement.readsAsZeros ||= (zero >>> first & 1) !== 0;
    this.#placeFresh(placement, lengthBytes, this.unitBytes, lengthOfRun(~allocated, first));
    if (kind !== Cluster.Normal || dataFile !== undefined) return;
    const hostOffset = this.#access.hostOffsetAt(position);
    this.#access.refusePlace(guestOffset - inCluster, hostOffset);
    placement.hasPlace = true;
    placement.hostOffset = hostOffset + inCluster;
  }

  #positionOf(slice: number, guestOffset: number): number {
    const index = Math.floor(guestOffset / this.#clusterBytes) & (this.#parts.slices.entries - 1);
    return slice + index * EXTENDED_ENTRY_BYTES;
  }

  /** The subclusters that are allocated in a row, of one cluster. */
  #placeDirect(position: number, bits: number, lengthBytes: number, placement: Placement): void {
    const { guestOffset } = placement;
    const inCluster = guestOffset & (this.#clusterBytes - 1);
    const first = Math.floor(inCluster / this.unitBytes);
    const hostOffset = this.#access.hostOffsetAt(position);
    this.#access.refusePlace(guestOffset - inCluster, hostOffset);
    const end = (first + lengthOfRun(bits, first)) * this.unitBytes;
    const file = this.#parts.dataFile ?? this.#parts.file;
    const runBytes = Math.min(lengthBytes, end - inCluster);
    placement.setDirect(file, hostOffset + inCluster, runBytes);
  }

  /** A part of one unit, or up to `most` whole ones. */
  #placeFresh(placement: Placement, lengthBytes: number, unitBytes: number, most: number): void {
    const inUnit = placement.guestOffset & (unitBytes - 1);
    if (inUnit > 0 || lengthBytes < unitBytes) {
      const partBytes = Math.min(lengthBytes, unitBytes - inUnit);
      return placement.setFresh(inUnit, partBytes, unitBytes - inUnit - partBytes);
    }
    const count = Math.min(most, Math.floor(lengthBytes / unitBytes));
    placement.setFresh(0, count * unitBytes, 0);
  }

  link(slice: number, placement: Placement, tableOffset: number): void {
    const { guestOffset, headBytes, lengthBytes, tailBytes, hostOffset } = placement;
    const position = this.#positionOf(slice, guestOffset);
    const inCluster = guestOffset & (this.#clusterBytes - 1);
    const bits = bitsOf(
      (inCluster - headBytes) / this.unitBytes,
      (inCluster + lengthBytes + tailBytes) / this.unitBytes,
    );
    const mayWrite = tableOffset >= 0 && placement.isCounted && this.#isEmpty(position, bits);
    if (!placement.hasPlace) {
      this.#drop(position);
      const host = hostOffset - inCluster;
      this.#view.setUint32(position, Math.floor(host / 2 ** 32) | L2_COPIED_HIGH);
      this.#view.setUint32(position + 4, host >>> 0);
    }
    this.#setBits(position, ZERO_BITS_OFFSET, this.#bitsAt(position, ZERO_BITS_OFFSET) & ~bits);
    const allocated = this.#bitsAt(position, ALLOCATED_BITS_OFFSET) | bits;
    this.#setBits(position, ALLOCATED_BITS_OFFSET, allocated);
    const { slices } = this.#parts;
    if (mayWrite && slices.writeThrough(position, EXTENDED_ENTRY_BYTES, tableOffset)) return;
    slices.markDirty(position);
  }

  /** Whether there is no cluster, and these subclusters read as zeros. */
  #isEmpty(position: number, bits: number): boolean {
    if (this.#view.getUint32(position) !== 0 || this.#view.getUint32(position + 4) !== 0) {
      return false;
    }
    return !this.#parts.hasBacking || (bits & ~this.#bitsAt(position, ZERO_BITS_OFFSET)) === 0;
  }

  #bitsAt(position: number, offset: number): number {
    return this.#view.getUint32(position + offset);
  }

  #setBits(position: number, offset: number, bits: number): void {
    this.#view.setUint32(position + offset, bits);
  }

  /** What the entry at `position` refers to has one reference less; nothing is said of it any more. */
  #drop(position: number): void {
    this.#access.drop(position);
    if (this.#kindAt(position) !== Cluster.Compressed) return;
    // The bitmap of a compressed cluster means nothing.
    this.#setBits(position, ZERO_BITS_OFFSET, 0);
    this.#setBits(position, ALLOCATED_BITS_OFFSET, 0);
  }

  clearableBytes(slice: number, { guestOffset, lengthBytes, to }: Clearing): number {
    const inCluster = guestOffset & (this.#clusterBytes - 1);
    const position = this.#positionOf(slice, guestOffset);
    const bytes = Math.min(lengthBytes, this.#clusterBytes - inCluster);
    const kind = this.#kindAt(position);
    if (kind === Cluster.Damaged) throw this.#access.damagedEntry(guestOffset, position);
    const isWhole = to === Cleared.Nothing || this.#bitsOfRange(inCluster, bytes) >>> 0 === ALL;
    // It cannot be said of a part of a compressed cluster.
    if (kind === Cluster.Compressed && !isWhole) return 0;
    if (isWhole && this.#unlinks(kind, to)) this.#access.refuseDrop(guestOffset, position);
    return bytes;
  }

  #unlinks(kind: Cluster, to: Cleared): boolean {
    if (to === Cleared.Nothing) return true;
    const keeps = to === Cleared.KeptZeros || this.#parts.dataFile !== undefined;
    return kind === Cluster.Compressed || !keeps;
  }

  /** The bits of the subclusters of which there are some of these bytes. */
  #bitsOfRange(inCluster: number, lengthBytes: number): number {
    return bitsOf(
      inCluster / this.unitBytes,
      Math.ceil((inCluster + lengthBytes) / this.unitBytes),
    );
  }

  clear(slice: number, { guestOffset, lengthBytes, to, tableOffset }: Clearing): void {
    const inCluster = guestOffset & (this.#clusterBytes - 1);
    const position = this.#positionOf(slice, guestOffset);
    const kind = this.#kindAt(position);
    if (to === Cleared.Nothing) return this.#forget(position);
    const bits = this.#bitsOfRange(inCluster, lengthBytes);
    if (kind === Cluster.Unallocated && this.#isUnsaid(position, bits)) return;
    if (bits >>> 0 === ALL && this.#unlinks(kind, to)) this.#unlink(position);
    else if (kind === Cluster.Normal && this.#unlinks(kind, to)) {
      const { allocator } = this.#parts;
      allocator.dropPart(this.#access.hostOffsetAt(position) + inCluster, lengthBytes);
    }
    this.#setBits(position, ZERO_BITS_OFFSET, this.#bitsAt(position, ZERO_BITS_OFFSET) | bits);
    const allocated = this.#bitsAt(position, ALLOCATED_BITS_OFFSET) & ~bits;
    this.#setBits(position, ALLOCATED_BITS_OFFSET, allocated);
    // What refers to nothing needs no order.
    const { slices } = this.#parts;
    const mayWrite = tableOffset >= 0 && this.#access.hostOffsetAt(position) === 0;
    if (!mayWrite || !slices.writeThrough(position, EXTENDED_ENTRY_BYTES, tableOffset)) {
      slices.markDirty(position);
    }
  }

  #forget(position: number): void {
    this.#unlink(position);
    this.#setBits(position, ZERO_BITS_OFFSET, 0);
    this.#setBits(position, ALLOCATED_BITS_OFFSET, 0);
    this.#parts.slices.markDirty(position);
  }

  /** Whether nothing is said of these subclusters, and nothing need be, for nothing shows there. */
  #isUnsaid(position: number, bits: number): boolean {
    return !this.#parts.hasBacking && (this.#bitsAt(position, ZERO_BITS_OFFSET) & bits) === 0;
  }

  #unlink(position: number): void {
    this.#drop(position);
    this.#view.setUint32(position, 0);
    this.#view.setUint32(position + 4, 0);
  }

  /** What the whole entry is: Normal if there is a cluster, whatever its subclusters are. */
  #kindAt(position: number): Cluster {
    const high = this.#view.getUint32(position);
    const kind = this.#decoder.kindOf(high, this.#view.getUint32(position + 4));
    if (kind >= Cluster.Compressed) return kind;
    const zero = this.#bitsAt(position, ZERO_BITS_OFFSET);
    const allocated = this.#bitsAt(position, ALLOCATED_BITS_OFFSET);
    const impossible = kind === Cluster.Normal ? zero & allocated : allocated;
    return impossible === 0 ? kind : Cluster.Damaged;
  }
}

/** How many of `bits` are set in a row, from number `first` on. */
function lengthOfRun(bits: number, first: number): number {
  const others = ~bits >>> first;
  return others === 0 ? SUBCLUSTERS - first : 31 - Math.clz32(others & -others);
}

/** The bits from number `first` up to `end`. */
function bitsOf(first: number, end: number): number {
  const count = end - first;
  return count === SUBCLUSTERS ? ALL : (2 ** count - 1) << first;
}
