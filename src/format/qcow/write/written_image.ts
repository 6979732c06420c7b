/**
 * The image as a whole while it is written to: what it says of that, and when no change is made any more.
 *
 *     opened ──begin──> says that it is written to ──open──> changed by a guest ──conclude──> closed in order
 *                                └── damage, or something lost: no change any more
 *
 * @module
 */
import { ImageFormatError } from "../../../image/errors.ts";
import { Updates } from "../../../image/updates.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { EIO, SystemError } from "../../../sys/errno.ts";
import type { DiskSize } from "../disk_size.ts";
import { readHeader } from "../header.ts";
import type { Header } from "../header_types.ts";
import { AUTOCLEAR_BITMAPS } from "../layout.ts";
import type { Allocator } from "./allocator.ts";
import { Bitmaps } from "./bitmaps/bitmaps.ts";
import type { DirtyBits } from "./bitmaps/dirty_bits.ts";
import type { ClusterSet } from "./cluster_set.ts";
import type { HeaderWriter } from "./header_writer.ts";
import type { SharedClusters } from "./shared_clusters.ts";
import type { TableUpdates } from "./table_updates.ts";

export interface WrittenImageParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly size: DiskSize;
  readonly headerWriter: HeaderWriter;
  readonly allocator: Allocator;
  /** Clusters that hold metadata. */
  readonly metadata: ClusterSet;
  readonly shared: SharedClusters | undefined;
  readonly updates: TableUpdates;
}

export class WrittenImage {
  readonly #parts: WrittenImageParts;
  /** Whether the image says already that it is being written. */
  #hasBegun = false;
  /** Whether a guest has changed something. */
  #isOpened = false;
  #bitmaps: Bitmaps | undefined;
  /** Whether damage has been found. */
  #isDamaged = false;

  constructor(parts: WrittenImageParts) {
    this.#parts = parts;
  }

  /** What has been changed, if there is a bitmap that has to know. */
  get dirty(): DirtyBits | undefined {
    return this.#bitmaps?.dirty;
  }

  /** Whether a guest changes it, and may go on. */
  get isChanging(): boolean {
    return this.#isOpened && !this.#isClosed;
  }

  /** Whether no change is made any more. */
  get #isClosed(): boolean {
    return this.#isDamaged || this.#parts.updates.hasLost;
  }

  /**
   * Before a guest's change.
   *
   * @throws {SystemError} EIO if none is made any more
   */
  open(): void {
    this.#begin();
    if (this.#isOpened) return;
    this.#isOpened = true;
    this.#fillReserve();
    this.refuseIfClosed();
  }

  /**
   * Before the disk gets larger.
   *
   * @throws {SystemError} as {@link WrittenImage.open}
   */
  grow(sizeBytes: number): void {
    this.#begin();
    this.#bitmaps?.grow(sizeBytes);
  }

  /** Before anything is changed. */
  #begin(): void {
    if (!this.#hasBegun && !this.#isClosed) {
      this.#beginBitmaps();
      this.#hasBegun = true;
    }
    this.refuseIfClosed();
  }

  /**
   * Before the image's counts are made anew by what its header says.
   *
   * @throws {SystemError} EIO if that does not say of bitmaps what it is to say, as after a write of it that
   *   has failed, or if no change is made any more
   */
  refuseUnsaid(): void {
    this.refuseIfClosed();
    const { file, header } = this.#parts;
    const isToBeSaid = !this.#hasBegun || this.#bitmaps?.areKept === true;
    const missing = header.autoclear & ~readHeader(file).autoclear & AUTOCLEAR_BITMAPS;
    if (isToBeSaid && missing !== 0n) throw new SystemError("write", EIO, file.path);
  }

  /** @throws {SystemError} EIO if no change is made any more */
  refuseIfClosed(): void {
    if (this.#isClosed) throw new SystemError("write", EIO, this.#parts.file.path);
  }

  #beginBitmaps(): void {
    const flush = (): void => this.#makeUpdates();
    this.#bitmaps = Bitmaps.begin({ ...this.#parts, flush });
    if (this.#bitmaps === undefined) this.#parts.headerWriter.clearAutoclear();
  }

  /** Before the first change, so that nothing is lost of that, either; without it, all goes on as well. */
  #fillReserve(): void {
    const { file, updates, allocator } = this.#parts;
    if (file.isTemporary) return;
    try {
      allocator.findBlankTail();
      this.#makeUpdates();
    } catch (error) {
      if (updates.hasLost || !(error instanceof SystemError)) throw error;
    }
  }

  /** Makes all that has been changed durable, waiting for it. */
  #makeUpdates(): void {
    const updates = new Updates();
    this.takeUpdates(updates);
    this.#parts.updates.makeDurable(updates);
  }

  takeUpdates(updates: Updates): void {
    const { file } = this.#parts;
    // A flush is no change.
    if (this.isChanging && !file.isTemporary) this.#reserveMore();
    this.#parts.updates.take(updates);
  }

  /** Of damage that is found by that, the next change is told: whoever asks for updates makes none. */
  #reserveMore(): void {
    try {
      this.#parts.allocator.fillReserve();
    } catch (error) {
      if (!(this.failed(error) instanceof ImageFormatError)) throw error;
    }
  }

  /** An image in which damage has been found is not changed any more, and says so itself. */
  failed(error: unknown): unknown {
    if (!(error instanceof ImageFormatError) || this.#isClosed) return error;
    this.#isDamaged = true;
    try {
      this.#parts.headerWriter.markCorrupt();
    } catch (markError) {
      if (!(markError instanceof SystemError)) throw markError;
    }
    return error;
  }

  freeSome(): boolean {
    if (this.#isClosed) return false;
    try {
      return this.#parts.allocator.freeSome();
    } catch (error) {
      throw this.failed(error);
    }
  }

  conclude(): void {
    if (!this.#hasBegun || this.#isClosed || this.#parts.file.isTemporary) return;
    try {
      this.#conclude();
    } catch (error) {
      throw this.failed(error);
    }
  }

  #conclude(): void {
    const { allocator, shared } = this.#parts;
    shared?.conclude();
    allocator.conclude();
    if (this.#bitmaps === undefined) return;
    this.#bitmaps.conclude();
    while (this.freeSome());
    allocator.conclude();
  }
}
