/**
 * What changes the entries of L2 slices, whatever kind they are of.
 *
 * @module
 */
import type { Cleared, Placement } from "../../../image/writing.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { damaged, hex } from "../errors.ts";
import type { Header } from "../header_types.ts";
import { Cluster, EntryDecoder, type L2Slices } from "../l2.ts";
import { L2_COMPRESSED_HIGH, L2_COPIED_HIGH } from "../layout.ts";
import type { Allocator } from "./allocator.ts";
import type { ClusterSet } from "./cluster_set.ts";
import type { SharedClusters } from "./shared_clusters.ts";

/** The position of a slice that is not there: all its entries are 0. */
export const NO_SLICE = -1;

/** Changes entries. A slice is given by its position among the cached ones. */
export interface EntryWriter {
  /** Size of what an entry says one thing of, in bytes. */
  readonly unitBytes: number;
  /**
   * Says where the bytes from `placement.guestOffset` on may be written, up to `lengthBytes` of them.
   *
   * @param isOwn whether nobody else uses the table: if not, nor may what it refers to be changed
   * @throws {ImageFormatError} if the entry is not valid, or refers to what cannot be a guest's
   */
  place(slice: number, isOwn: boolean, lengthBytes: number, placement: Placement): void;
  /**
   * Has the units of a Fresh placement, reserved and written, be where that says.
   *
   * @param tableOffset where the table of the slice is, if its entries may be written at once; else -1
   */
  link(slice: number, placement: Placement, tableOffset: number): void;
  /**
   * How many bytes of what is to be cleared one call of {@link EntryWriter.clear} can be about: of whole
   * units, the last of which may end with the disk; 0 if the format cannot say that. Changes nothing.
   *
   * @throws {ImageFormatError} as {@link EntryWriter.place}
   */
  clearableBytes(slice: number, clearing: Clearing): number;
  /** Clears so many bytes. */
  clear(slice: number, clearing: Clearing): void;
}

/** What is to be cleared. */
export interface Clearing {
  readonly guestOffset: number;
  readonly lengthBytes: number;
  readonly to: Cleared;
  /** As for {@link EntryWriter.link}. */
  readonly tableOffset: number;
}

/** What entries are about. */
export interface EntryParts {
  readonly header: Header;
  readonly slices: L2Slices;
  /** The image's own file. */
  readonly file: ImageFile;
  /** Where clusters are, if not there. */
  readonly dataFile: ImageFile | undefined;
  /** Whether something shows where nothing is allocated. */
  readonly hasBacking: boolean;
  readonly allocator: Allocator;
  /** Clusters that hold metadata. */
  readonly metadata: ClusterSet;
  /** What is told of clusters that others refer to, too; undefined if snapshots do anyway. */
  readonly shared: SharedClusters | undefined;
}

/** What is done alike with entries of any kind, given by their positions among the cached ones. */
export class EntryAccess {
  readonly decoder: EntryDecoder;
  readonly #parts: EntryParts;
  readonly #view: DataView;
  readonly #clusterBytes: number;
  readonly #clustersPerByte: number;

  constructor(parts: EntryParts) {
    this.#parts = parts;
    this.#view = parts.slices.view;
    this.decoder = new EntryDecoder(parts.header);
    this.#clusterBytes = parts.header.clusterBytes;
    this.#clustersPerByte = 1 / this.#clusterBytes;
  }

  /** Where the cluster is that is not compressed; 0 if there is none. */
  hostOffsetAt(position: number): number {
    const high = this.#view.getUint32(position);
    return this.decoder.hostOffset(high, this.#view.getUint32(position + 4));
  }

  damagedEntry(guestOffset: number, position: number): Error {
    const message = `the L2 entry for guest offset ${hex(guestOffset)} is not valid`;
    return damaged(this.#parts.file.path, message, this.hostOffsetAt(position));
  }

  /** @throws {ImageFormatError} if the cluster at `hostOffset` cannot be a guest's */
  refusePlace(guestOffset: number, hostOffset: number): void {
    if (this.#parts.dataFile !== undefined) {
      if (hostOffset === guestOffset) return;
    } else if (this.#canBeGuests(hostOffset)) return;
    throw this.#foreign(guestOffset, hostOffset);
  }

  /** Not metadata, the header being some, and in the file, be it only its start. */
  #canBeGuests(hostOffset: number): boolean {
    const { file, metadata } = this.#parts;
    return hostOffset < file.sizeBytes && !metadata.has(hostOffset * this.#clustersPerByte);
  }

  #foreign(guestOffset: number, hostOffset: number): Error {
    const message = `the L2 entry for guest offset ${
      hex(guestOffset)
    } refers to what is no guest's`;
    return damaged(this.#parts.file.path, message, hostOffset);
  }

  /** @throws {ImageFormatError} if an entry refers to what cannot be a guest's, and so not be dropped */
  refuseDrop(guestOffset: number, position: number): void {
    if (this.mayDrop(position)) return;
    throw this.#foreign(guestOffset, this.#rangeAt(position).startBytes);
  }

  /** Whether all that an entry refers to, if anything, can be a guest's. */
  mayDrop(position: number): boolean {
    if (this.#parts.dataFile !== undefined) return true;
    const { startBytes, endBytes } = this.#rangeAt(position);
    for (let at = startBytes; at < endBytes; at += this.#clusterBytes) {
      if (!this.#canBeGuests(at)) return false;
    }
    return true;
  }

  /** Says that what an entry refers to has one reference less. */
  drop(position: number): void {
    if (this.#parts.dataFile !== undefined) return;
    const { startBytes, endBytes } = this.#rangeAt(position);
    const count = Math.ceil((endBytes - startBytes) * this.#clustersPerByte);
    if (count === 0) return;
    this.#parts.allocator.drop(startBytes, count);
    const isShared = (this.#view.getUint32(position) & (L2_COMPRESSED_HIGH | L2_COPIED_HIGH)) === 0;
    if (isShared) this.#parts.shared?.drop(startBytes * this.#clustersPerByte);
  }

  /** What an entry refers to in the image's own file: from the start of a cluster on. */
  #rangeAt(position: number): { startBytes: number; endBytes: number } {
    const high = this.#view.getUint32(position);
    const low = this.#view.getUint32(position + 4);
    if (this.decoder.kindOf(high, low) === Cluster.Compressed) {
      const from = this.decoder.compressedOffset(high, low);
      const endBytes = from + this.decoder.compressedBytes(high, low);
      return { startBytes: from - from % this.#clusterBytes, endBytes };
    }
    const startBytes = this.decoder.hostOffset(high, low);
    return { startBytes, endBytes: startBytes === 0 ? 0 : startBytes + this.#clusterBytes };
  }
}
