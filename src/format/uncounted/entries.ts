/**
 * Changing L2 entries. Each says where a cluster is, that it is not allocated or, where the format has
 * that, that it is zeros.
 *
 * @module
 */
import { Cleared, ClearOutcome, type Placement } from "../../image/writing.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { ImageFormatError } from "../../image/errors.ts";
import { clearRange } from "../kit/clear_range.ts";
import { hex } from "../qcow/errors.ts";
import type { L2Slices } from "../qcow/l2.ts";
import { ENTRY_BYTES, type EntryFormat, EntryKind } from "./entry_format.ts";
import type { FileEnd } from "./file_end.ts";
import type { MetadataMap } from "./metadata_map.ts";

/** The position of a slice that is not there: all its entries are 0. */
export const NO_SLICE = -1;
/** What {@link Entries.clear} answers where an entry has to be changed that is in no table yet. */
export const NEEDS_TABLE = -2;

/** What entries are about. */
export interface EntriesParts {
  readonly file: ImageFile;
  readonly format: EntryFormat;
  readonly clusterBytes: number;
  readonly slices: L2Slices;
  readonly end: FileEnd;
  readonly metadata: MetadataMap;
  /** Whether something shows where nothing is allocated. */
  readonly hasBacking: boolean;
  /** Whether zeros have to be written, as clusters are encrypted. */
  readonly isEncrypted: boolean;
}

/** What is to be cleared. */
export interface Clearing {
  readonly guestOffset: number;
  readonly lengthBytes: number;
  readonly to: Cleared;
}

export class Entries {
  readonly #parts: EntriesParts;
  readonly #view: DataView;
  readonly #clusterBytes: number;
  readonly #clustersPerByte: number;

  constructor(parts: EntriesParts) {
    this.#parts = parts;
    this.#view = parts.slices.view;
    this.#clusterBytes = parts.clusterBytes;
    this.#clustersPerByte = 1 / parts.clusterBytes;
  }

  /**
   * Says where the bytes from `placement.guestOffset` on may be written, up to `lengthBytes` of them.
   *
   * @param slice its position among the cached ones, or {@link NO_SLICE}
   * @throws {ImageFormatError} if the entry refers to what cannot be a guest's
   */
  place(slice: number, lengthBytes: number, placement: Placement): void {
    const { guestOffset } = placement;
    const inCluster = guestOffset & (this.#clusterBytes - 1);
    const index = this.#indexOf(guestOffset);
    const kind = this.#kindAt(slice, index);
    const wanted = Math.ceil((inCluster + lengthBytes) * this.#clustersPerByte);
    if (kind === EntryKind.Normal) {
      const count = this.#countNormal(slice, guestOffset, wanted);
      const runBytes = Math.min(count * this.#clusterBytes - inCluster, lengthBytes);
      const hostOffset = this.#hostOffsetAt(slice + index * ENTRY_BYTES) + inCluster;
      return placement.setDirect(this.#parts.file, hostOffset, runBytes);
    }
    placement.readsAsZeros = this.#isZero(kind);
    if (inCluster > 0 || lengthBytes < this.#clusterBytes) {
      const partBytes = Math.min(lengthBytes, this.#clusterBytes - inCluster);
      return placement.setFresh(inCluster, partBytes, this.#clusterBytes - inCluster - partBytes);
    }
    const whole = Math.floor(lengthBytes * this.#clustersPerByte);
    placement.setFresh(0, this.#countAlike(slice, index, whole) * this.#clusterBytes, 0);
  }

  #indexOf(guestOffset: number): number {
    return Math.floor(guestOffset * this.#clustersPerByte) & (this.#parts.slices.entries - 1);
  }

  #kindAt(slice: number, index: number): EntryKind {
    if (slice === NO_SLICE) return EntryKind.Unallocated;
    return this.#parts.format.kindAt(this.#view, slice + index * ENTRY_BYTES);
  }

  /** Whether a cluster that has no place reads as zeros. */
  #isZero(kind: EntryKind): boolean {
    return kind === EntryKind.Zero || kind === EntryKind.Unallocated && !this.#parts.hasBacking;
  }

  /** Inexact past the end of every file. */
  #hostOffsetAt(position: number): number {
    return this.#parts.format.hostOffsetAt(this.#view, position);
  }

  /** How many entries from `index` on are of one kind; up to `most`. */
  #countAlike(slice: number, index: number, most: number): number {
    const kind = this.#kindAt(slice, index);
    const end = Math.min(index + most, this.#parts.slices.entries);
    let next = index + 1;
    while (next < end && this.#kindAt(slice, next) === kind) next++;
    return next - index;
  }

  /** How many clusters from `guestOffset` on, up to `most`, lie side by side; all may be written to. */
  #countNormal(slice: number, guestOffset: number, most: number): number {
    const index = this.#indexOf(guestOffset);
    const start = guestOffset - (guestOffset & (this.#clusterBytes - 1));
    const end = index + this.#countAlike(slice, index, most);
    const first = this.#hostOffsetAt(slice + index * ENTRY_BYTES);
    for (let at = index; at < end; at++) {
      const inRun = (at - index) * this.#clusterBytes;
      const hostOffset = this.#hostOffsetAt(slice + at * ENTRY_BYTES);
      if (hostOffset !== first + inRun) return at - index;
      this.#refuseForeign(start + inRun, hostOffset);
    }
    return end - index;
  }

  /** @throws {ImageFormatError} if the cluster at `hostOffset` cannot be a guest's */
  #refuseForeign(guestOffset: number, hostOffset: number): void {
    const { end, metadata, file, format } = this.#parts;
    const canBeGuests = hostOffset % format.alignmentBytes === 0 &&
      hostOffset + this.#clusterBytes <= end.endBytes &&
      !metadata.overlaps(hostOffset, this.#clusterBytes);
    if (canBeGuests) return;
    const what = `the L2 entry for guest offset ${hex(guestOffset)} refers to what is no guest's`;
    throw new ImageFormatError(format.name, file.path, what, hostOffset);
  }

  /**
   * Has the clusters of a Fresh placement, reserved and written, be where that says.
   *
   * @param tableOffset where the table of the slice is, if its entries may be written at once; else -1
   */
  link(slice: number, placement: Placement, tableOffset: number): void {
    const { guestOffset, headBytes, lengthBytes, tailBytes, hostOffset, isCounted } = placement;
    const start = slice + this.#indexOf(guestOffset) * ENTRY_BYTES;
    const count = Math.ceil((headBytes + lengthBytes + tailBytes) * this.#clustersPerByte);
    const end = start + count * ENTRY_BYTES;
    const { slices, format } = this.#parts;
    let host = hostOffset - headBytes;
    for (let at = start; at < end; at += ENTRY_BYTES) {
      format.setPlace(this.#view, at, host);
      host += this.#clusterBytes;
    }
    const mayWrite = isCounted && tableOffset >= 0;
    if (mayWrite && slices.writeThrough(start, end - start, tableOffset)) return;
    for (let at = start; at < end; at += ENTRY_BYTES) slices.markDirty(at);
  }

  /**
   * Clears whole clusters where they are, has entries say that there are zeros, or leaves them, if nothing is
   * to be done.
   *
   * @returns how many bytes, {@link ClearOutcome.Unable} if zeros have to be written, or {@link NEEDS_TABLE}
   * @throws {ImageFormatError} as {@link Entries.place}
   * @throws {SystemError} if the file cannot be changed
   */
  clear(slice: number, { guestOffset, lengthBytes, to }: Clearing): number {
    const index = this.#indexOf(guestOffset);
    const most = Math.ceil(lengthBytes * this.#clustersPerByte);
    const kind = this.#kindAt(slice, index);
    const alikeBytes = Math.min(
      this.#countAlike(slice, index, most) * this.#clusterBytes,
      lengthBytes,
    );
    if (to === Cleared.Nothing) return ClearOutcome.Unable;
    const canClear = kind === EntryKind.Normal && !this.#parts.isEncrypted;
    if (this.#isZero(kind) || !canClear && to === Cleared.Discarded) return alikeBytes;
    if (kind === EntryKind.Unallocated) return this.#setZeros(slice, index, alikeBytes);
    if (!canClear) return ClearOutcome.Unable;
    const count = this.#countNormal(slice, guestOffset, most);
    const hostOffset = this.#hostOffsetAt(slice + index * ENTRY_BYTES);
    const runBytes = Math.min(count * this.#clusterBytes, lengthBytes);
    const range = { hostOffset, lengthBytes: count * this.#clusterBytes };
    return clearRange(this.#parts.file, to, range) ? runBytes : ClearOutcome.Unable;
  }

  /** Has clusters that are not allocated be zeros, whatever lies below. */
  #setZeros(slice: number, index: number, lengthBytes: number): number {
    const { format, slices } = this.#parts;
    if (format.setZero === undefined) return ClearOutcome.Unable;
    if (slice === NO_SLICE) return NEEDS_TABLE;
    const start = slice + index * ENTRY_BYTES;
    const end = start + Math.ceil(lengthBytes * this.#clustersPerByte) * ENTRY_BYTES;
    for (let at = start; at < end; at += ENTRY_BYTES) {
      format.setZero(this.#view, at);
      slices.markDirty(at);
    }
    return lengthBytes;
  }
}
