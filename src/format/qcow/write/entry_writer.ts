/**
 * What changes the entries of L2 slices, whatever kind they are of.
 *
 * @module
 */
import type { Cleared, Placement } from "../../../image/writing.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { damaged, hex } from "../errors.ts";
import type { Header } from "../header_types.ts";
import type { L2Slices } from "../l2.ts";
import type { Allocator } from "./allocator.ts";
import type { ClusterSet } from "./cluster_set.ts";

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
   * @throws {ImageFormatError} if the entry is not valid, or refers to metadata
   */
  place(slice: number, isOwn: boolean, lengthBytes: number, placement: Placement): void;
  /**
   * Has the units of a Fresh placement, reserved and written, be where that says.
   *
   * @param tableOffset where the table of the slice is, if its entries may be written at once; else -1
   */
  link(slice: number, placement: Placement, tableOffset: number): void;
  /**
   * Clears units, the last of which may end with the disk; as many as one slice has.
   *
   * @returns how many bytes of them; 0 if the format cannot say that
   */
  clear(slice: number, clearing: Clearing): number;
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
}

/** What refuses to write where the metadata are. */
export class PlaceCheck {
  readonly #parts: EntryParts;
  readonly #clustersPerByte: number;

  constructor(parts: EntryParts) {
    this.#parts = parts;
    this.#clustersPerByte = 1 / parts.header.clusterBytes;
  }

  /** @throws {ImageFormatError} if the cluster at `hostOffset` cannot be a guest's */
  refuseMetadata(guestOffset: number, hostOffset: number): void {
    const { dataFile, metadata, file } = this.#parts;
    if (dataFile !== undefined) {
      if (hostOffset === guestOffset) return;
    } else if (!metadata.has(hostOffset * this.#clustersPerByte)) return;
    const message = `the L2 entry for guest offset ${hex(guestOffset)} refers to metadata`;
    throw damaged(file.path, message, hostOffset);
  }
}
