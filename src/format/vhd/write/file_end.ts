/**
 * Where new blocks come from: the file gets longer, by several of them at a time, which are holes. None is
 * used before it is durable that the file has it: what refers to it may be written at once then.
 *
 *     | footer | 0 | footer? | 1 | footer? | 2 | footer? | ... | footer |
 *                            ^ #next       ^ #durable          ^ #grown
 *
 * The bytes of a block begin at a multiple of 4 KiB, as those of Hyper-V do since 2012. So there is room for
 * a footer behind each of them.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { zeroRange } from "../../../storage/zero_range.ts";
import { EFBIG, ENOSPC, SystemError } from "../../../sys/errno.ts";
import { ReserveSize } from "../../kit/reserve_size.ts";
import type { Footer } from "../footer.ts";
import type { BlockHeader } from "../header.ts";
import { ENTRY_NONE, FOOTER_BYTES, SECTOR_BYTES } from "../layout.ts";
import { Footers } from "./footers.ts";
import type { UsedPlaces } from "./used_places.ts";

const ALIGNMENT_BYTES = 4096;
/** What {@link FileEnd.take} answers if there is nothing before the next flush. */
export const NONE_READY = -1;

/** What is to be known of the image. */
export interface FileEndParts {
  readonly header: BlockHeader;
  readonly footer: Footer;
  readonly places: UsedPlaces;
}

export class FileEnd {
  readonly #file: ImageFile;
  readonly #parts: FileEndParts;
  readonly #footers: Footers;
  /** Bytes of a bitmap and a block, and from one of our blocks to the next. */
  readonly #storedBytes: number;
  readonly #strideBytes: number;
  /** Size of the file before it gets longer; -1 as long as it is not to. */
  #sizeBefore = -1;
  /** Blocks are numbered from the first one that was added: which is given out next, and so on. */
  #next = 0;
  #durable = 0;
  #grown = 0;
  /** How many the round that is under way makes durable. */
  #covered = 0;
  readonly #reserve: ReserveSize;
  /** Blocks that came back and are holes again: not certainly, as of the round that is under way, durably. */
  #returned: number[] = [];
  readonly #returning: number[] = [];
  readonly #free: number[] = [];

  constructor(file: ImageFile, parts: FileEndParts) {
    const { blockBytes, bitmapBytes } = parts.header;
    this.#file = file;
    this.#parts = parts;
    this.#footers = new Footers(file, parts.footer);
    this.#storedBytes = bitmapBytes + blockBytes;
    this.#strideBytes = aligned(this.#storedBytes + FOOTER_BYTES);
    this.#reserve = new ReserveSize(blockBytes);
  }

  /** Has the footers be there, durably; throws {@link SystemError} if that cannot be written. */
  repair(): void {
    if (!this.#file.canGrow) return;
    this.#footers.repair(this.#parts.places.endBytes, this.#strideBytes);
  }

  /**
   * Gives out a block.
   *
   * @returns where it begins in the file, or {@link NONE_READY}
   * @throws {SystemError} ENOSPC or EFBIG if the file cannot be longer
   */
  take(): number {
    if (this.#sizeBefore < 0) this.#begin();
    const free = this.#free.pop();
    if (free !== undefined) return this.#startOf(free);
    if (this.#next < this.#durable) return this.#startOf(this.#next++);
    this.#reserve.ranOut();
    const isComing = this.#grown > this.#durable || this.#returned.length > 0 ||
      this.#returning.length > 0;
    if (!isComing) this.#grow(1);
    return NONE_READY;
  }

  #begin(): void {
    if (!this.#file.canGrow) throw new SystemError("write", ENOSPC, this.#file.path);
    this.#sizeBefore = this.#file.sizeBytes;
    this.fill();
    this.#file.sync();
    this.isDurable();
  }

  #startOf(number: number): number {
    const { bitmapBytes } = this.#parts.header;
    const first = aligned(this.#sizeBefore + bitmapBytes) - bitmapBytes;
    return first + number * this.#strideBytes;
  }

  #endOf(number: number): number {
    return this.#startOf(number) + this.#storedBytes;
  }

  #grow(count: number): void {
    const last = this.#grown + count - 1;
    if (this.#startOf(last) / SECTOR_BYTES >= ENTRY_NONE) {
      throw new SystemError("write", EFBIG, this.#file.path);
    }
    this.#footers.moveOn(this.#endOf(last));
    this.#grown += count;
  }

  /** Takes a block back to which nothing has ever referred. */
  giveBack(hostOffset: number): void {
    const range = { hostOffset, lengthBytes: this.#storedBytes };
    try {
      if (!zeroRange(this.#file, "freed", range)) return;
    } catch (error) {
      if (error instanceof SystemError) return;
      throw error;
    }
    this.#returned.push((hostOffset - this.#startOf(0)) / this.#strideBytes);
  }

  /** Whether it would be good to have more of them soon. */
  get isLow(): boolean {
    return this.#sizeBefore >= 0 && (this.#grown - this.#next) * 2 < this.#wantedNow;
  }

  /** There is no use for more than the disk has blocks that are not stored. */
  get #wantedNow(): number {
    const { header: { entries }, places: { storedBlocks } } = this.#parts;
    return Math.min(this.#reserve.wanted, entries - storedBlocks - this.#next);
  }

  /** Has the file have more of them, which {@link FileEnd.isDurable} makes ready after a sync. */
  fill(): void {
    if (this.#sizeBefore < 0) return;
    this.#reserve.adapt();
    const missing = this.#wantedNow - (this.#grown - this.#next);
    if (missing > 0) this.#growIfPossible(missing);
    this.#covered = this.#grown;
    this.#returning.push(...this.#returned.splice(0));
  }

  #growIfPossible(count: number): void {
    try {
      this.#grow(count);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      // Who needs a block will be told.
      this.#reserve.stop();
    }
  }

  /** A sync has ended that began after {@link FileEnd.fill}. */
  isDurable(): void {
    this.#durable = this.#covered;
    this.#free.push(...this.#returning.splice(0));
  }

  /** Cuts off what is not used of what the file got, as far as that is possible. */
  conclude(): void {
    if (this.#sizeBefore < 0) return;
    const unused = new Set([...this.#free, ...this.#returning, ...this.#returned]);
    let end = this.#next;
    while (end > 0 && unused.has(end - 1)) end--;
    if (end === this.#grown) return;
    try {
      if (end === 0) this.#file.setSize(this.#sizeBefore);
      else this.#footers.moveBack(this.#endOf(end - 1));
    } catch (error) {
      if (!(error instanceof SystemError) || this.#file.hasLost) throw error;
    }
  }
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}
