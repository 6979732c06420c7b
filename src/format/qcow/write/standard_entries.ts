/**
 * Changing standard L2 entries: one for each cluster.
 *
 * @module
 */
import { Cleared, type Placement } from "../../../image/writing.ts";
import { Cluster, type EntryDecoder } from "../l2.ts";
import { L2_COPIED_HIGH, L2_ZERO_LOW, TABLE_ENTRY_BYTES } from "../layout.ts";
import {
  type Clearing,
  EntryAccess,
  type EntryParts,
  type EntryWriter,
  NO_SLICE,
} from "./entry_writer.ts";

export class StandardEntries implements EntryWriter {
  readonly unitBytes: number;
  readonly #parts: EntryParts;
  readonly #view: DataView;
  readonly #access: EntryAccess;
  readonly #decoder: EntryDecoder;
  readonly #clustersPerByte: number;

  constructor(parts: EntryParts) {
    this.#parts = parts;
    this.#view = parts.slices.view;
    this.unitBytes = parts.header.clusterBytes;
    this.#access = new EntryAccess(parts);
    this.#decoder = this.#access.decoder;
    this.#clustersPerByte = 1 / this.unitBytes;
  }

  place(slice: number, isOwn: boolean, lengthBytes: number, placement: Placement): void {
    const { guestOffset } = placement;
    const inCluster = guestOffset & (this.unitBytes - 1);
    if (slice === NO_SLICE) {
      placement.readsAsZeros = !this.#parts.hasBacking;
      const left = this.#parts.slices.entries - this.#indexOf(guestOffset);
      return this.#placeFresh(placement, inCluster, lengthBytes, left);
    }
    const index = this.#indexOf(guestOffset);
    const position = slice + index * TABLE_ENTRY_BYTES;
    const high = this.#view.getUint32(position);
    const low = this.#view.getUint32(position + 4);
    const kind = this.#decoder.kindOf(high, low);
    if (kind === Cluster.Damaged) throw this.#access.damagedEntry(guestOffset, position);
    const left = this.#parts.slices.entries - index;
    if (kind === Cluster.Normal && this.#isInPlace(high, isOwn)) {
      return this.#placeDirect(position, left, lengthBytes, placement);
    }
    placement.readsAsZeros = kind === Cluster.Zero ||
      kind === Cluster.Unallocated && !this.#parts.hasBacking;
    const keepsPlace = kind === Cluster.Zero && this.#hasOwnPlace(position, isOwn);
    if (!keepsPlace) {
      this.#access.refuseDrop(guestOffset - inCluster, position);
      const wanted = Math.min(left, Math.ceil(lengthBytes * this.#clustersPerByte));
      const most = this.#countFresh(position, wanted, isOwn);
      return this.#placeFresh(placement, inCluster, lengthBytes, most);
    }
    const hostOffset = this.#decoder.hostOffset(high, low);
    this.#access.refusePlace(guestOffset - inCluster, hostOffset);
    this.#placeFresh(placement, inCluster, lengthBytes, 1);
    placement.hasPlace = true;
    placement.hostOffset = hostOffset + inCluster;
  }

  #indexOf(guestOffset: number): number {
    return Math.floor(guestOffset * this.#clustersPerByte) & (this.#parts.slices.entries - 1);
  }

  /** In an external data file, nothing is shared. */
  #isInPlace(high: number, isOwn: boolean): boolean {
    return this.#parts.dataFile !== undefined || isOwn && this.#decoder.isCopied(high);
  }

  /** Whether the entry at `position` has a cluster that may be written to. */
  #hasOwnPlace(position: number, isOwn: boolean): boolean {
    if (this.#parts.dataFile !== undefined) return false;
    const high = this.#view.getUint32(position);
    return isOwn && this.#decoder.isCopied(high) &&
      this.#decoder.hostOffset(high, this.#view.getUint32(position + 4)) !== 0;
  }

  /** As many of `left` entries as one run has of what may be written in place. */
  #placeDirect(position: number, left: number, lengthBytes: number, placement: Placement): void {
    const { guestOffset } = placement;
    const inCluster = guestOffset & (this.unitBytes - 1);
    const wanted = Math.min(left, Math.ceil((inCluster + lengthBytes) * this.#clustersPerByte));
    const first = this.#access.hostOffsetAt(position);
    let count = 0;
    for (let at = position; count < wanted; at += TABLE_ENTRY_BYTES) {
      const hostOffset = first + count * this.unitBytes;
      if (count > 0 && !this.#goesOnAt(at, hostOffset)) break;
      this.#access.refusePlace(guestOffset - inCluster + count * this.unitBytes, hostOffset);
      count++;
    }
    const file = this.#parts.dataFile ?? this.#parts.file;
    const runBytes = Math.min(count * this.unitBytes - inCluster, lengthBytes);
    placement.setDirect(file, first + inCluster, runBytes);
  }

  #goesOnAt(position: number, hostOffset: number): boolean {
    const high = this.#view.getUint32(position);
    const low = this.#view.getUint32(position + 4);
    return this.#decoder.kindOf(high, low) === Cluster.Normal && this.#isInPlace(high, true) &&
      this.#decoder.hostOffset(high, low) === hostOffset;
  }

  /** How many entries there are, from `position` on, that need places of their own; up to `most`. */
  #countFresh(position: number, most: number, isOwn: boolean): number {
    let count = 1;
    for (; count < most; count++) {
      const at = position + count * TABLE_ENTRY_BYTES;
      const high = this.#view.getUint32(at);
      const kind = this.#decoder.kindOf(high, this.#view.getUint32(at + 4));
      if (kind === Cluster.Damaged) break;
      if (kind === Cluster.Normal && this.#isInPlace(high, isOwn)) break;
      if (kind === Cluster.Zero && this.#hasOwnPlace(at, isOwn)) break;
      if (!this.#access.mayDrop(at)) break;
    }
    return count;
  }

  /** A part of one cluster, or up to `most` whole ones. */
  #placeFresh(placement: Placement, inCluster: number, lengthBytes: number, most: number): void {
    const { unitBytes } = this;
    if (inCluster > 0 || lengthBytes < unitBytes) {
      const partBytes = Math.min(lengthBytes, unitBytes - inCluster);
      return placement.setFresh(inCluster, partBytes, unitBytes - inCluster - partBytes);
    }
    const count = Math.min(most, Math.floor(lengthBytes * this.#clustersPerByte));
    placement.setFresh(0, count * unitBytes, 0);
  }

  link(slice: number, placement: Placement, tableOffset: number): void {
    const { guestOffset, headBytes, lengthBytes, tailBytes, hostOffset } = placement;
    const start = slice + this.#indexOf(guestOffset) * TABLE_ENTRY_BYTES;
    const clusters = (headBytes + lengthBytes + tailBytes) * this.#clustersPerByte;
    const end = start + Math.ceil(clusters) * TABLE_ENTRY_BYTES;
    const mayWrite = tableOffset >= 0 && placement.isCounted && this.#areEmpty(start, end);
    let host = hostOffset - headBytes;
    for (let at = start; at < end; at += TABLE_ENTRY_BYTES) {
      if (!placement.hasPlace) this.#access.drop(at);
      this.#put(at, Math.floor(host / 2 ** 32) | L2_COPIED_HIGH, host >>> 0);
      host += this.unitBytes;
    }
    this.#write(start, end, mayWrite ? tableOffset : -1);
  }

  /** Has entries that have been changed written: at once, to the table at `tableOffset`, or, if -1, in order. */
  #write(start: number, end: number, tableOffset: number): void {
    const { slices } = this.#parts;
    if (tableOffset >= 0 && slices.writeThrough(start, end - start, tableOffset)) return;
    for (let at = start; at < end; at += TABLE_ENTRY_BYTES) slices.markDirty(at);
  }

  /** Whether all of these entries refer to nothing, and read as zeros. */
  #areEmpty(start: number, end: number): boolean {
    for (let at = start; at < end; at += TABLE_ENTRY_BYTES) {
      const low = this.#view.getUint32(at + 4);
      const isZero = low === L2_ZERO_LOW || low === 0 && !this.#parts.hasBacking;
      if (this.#view.getUint32(at) !== 0 || !isZero) return false;
    }
    return true;
  }

  #put(position: number, high: number, low: number): void {
    this.#view.setUint32(position, high);
    this.#view.setUint32(position + 4, low);
  }

  clearableBytes(slice: number, { guestOffset, lengthBytes, to }: Clearing): number {
    if (this.#parts.header.version < 3 && this.#parts.hasBacking) return 0;
    const index = this.#indexOf(guestOffset);
    const bytes = Math.min(lengthBytes, (this.#parts.slices.entries - index) * this.unitBytes);
    for (let at = 0; at < bytes; at += this.unitBytes) {
      const position = slice + (index + at * this.#clustersPerByte) * TABLE_ENTRY_BYTES;
      this.#refuseClear(guestOffset + at, position, to);
    }
    return bytes;
  }

  #refuseClear(guestOffset: number, position: number, to: Cleared): void {
    const high = this.#view.getUint32(position);
    const kind = this.#decoder.kindOf(high, this.#view.getUint32(position + 4));
    if (kind === Cluster.Damaged) throw this.#access.damagedEntry(guestOffset, position);
    if (!this.#keepsPlace(kind, high, to)) this.#access.refuseDrop(guestOffset, position);
  }

  clear(slice: number, { guestOffset, lengthBytes, to, tableOffset }: Clearing): void {
    const start = slice + this.#indexOf(guestOffset) * TABLE_ENTRY_BYTES;
    const end = start + Math.ceil(lengthBytes * this.#clustersPerByte) * TABLE_ENTRY_BYTES;
    let hasChanged = false;
    for (let at = start; at < end; at += TABLE_ENTRY_BYTES) {
      if (this.#clearAt(at, to)) hasChanged = true;
    }
    // What refers to nothing needs no order.
    const mayWrite = tableOffset >= 0 && this.#areEmpty(start, end);
    if (hasChanged) this.#write(start, end, mayWrite ? tableOffset : -1);
  }

  /** False if the entry at `position` stays as it is. */
  #clearAt(position: number, to: Cleared): boolean {
    const high = this.#view.getUint32(position);
    const low = this.#view.getUint32(position + 4);
    const kind = this.#decoder.kindOf(high, low);
    if (kind === Cluster.Unallocated && !this.#parts.hasBacking) return false;
    if (to === Cleared.Nothing) return this.#forget(position, kind);
    const isPlain = this.#access.hostOffsetAt(position) === 0;
    if (kind === Cluster.Zero && (to === Cleared.KeptZeros || isPlain)) return false;
    if (this.#keepsPlace(kind, high, to)) this.#put(position, high, low | L2_ZERO_LOW);
    else {
      this.#access.drop(position);
      this.#put(position, 0, this.#parts.header.version < 3 ? 0 : L2_ZERO_LOW);
    }
    return true;
  }

  #forget(position: number, kind: Cluster): boolean {
    if (kind === Cluster.Unallocated) return false;
    this.#access.drop(position);
    this.#put(position, 0, 0);
    return true;
  }

  #keepsPlace(kind: Cluster, high: number, to: Cleared): boolean {
    if (to === Cleared.Nothing) return false;
    if (kind !== Cluster.Normal || this.#parts.header.version < 3) return false;
    return this.#parts.dataFile !== undefined ||
      to === Cleared.KeptZeros && this.#decoder.isCopied(high);
  }
}
