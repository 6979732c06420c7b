/**
 * What changes an image.
 *
 * Data are durable before the log has what refers to them, and that before it is put into its place:
 *
 *     data ── sync ──> entry of the log ── sync ──> pages of BAT and bits ── sync
 *
 * @module
 */
import { unlessOnlyReadable } from "../../../image/errors.ts";
import type { Level, Updates } from "../../../image/updates.ts";
import {
  Cleared,
  ClearOutcome,
  Place,
  type Placement,
  type Tables,
  type Writing,
} from "../../../image/writing.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { EIO, SystemError } from "../../../sys/errno.ts";
import type { Bat } from "../bat.ts";
import { type ChunkBits, SECTORS_IN_PAGE } from "../chunk_bits.ts";
import { damaged } from "../errors.ts";
import { type Header, isLogSound } from "../header.ts";
import { BlockState } from "../layout.ts";
import { MAX_LOG_BYTES } from "../log/active.ts";
import type { MetadataPages } from "../metadata_pages.ts";
import type { Regions } from "../regions.ts";
import type { Shape } from "../shape.ts";
import { Allocator } from "./allocator.ts";
import { clear } from "./clearing.ts";
import { usedEnd } from "./file_space.ts";
import { LogSession } from "./log_session.ts";

/** What of a disk without a parent is cleared at once, at least. */
const UNIT_BYTES = 64 * 1024;
/** So many pages one allocation changes at most. */
const PAGES_OF_ALLOCATION = 3;

/** What an image consists of that is to be changed. */
export interface WritingParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly regions: Regions;
  readonly shape: Shape;
  readonly pages: MetadataPages;
  readonly bat: Bat;
  readonly bits: ChunkBits;
}

export class VhdxWriting implements Writing, Tables {
  readonly files: readonly ImageFile[];
  readonly writers = "one";
  readonly unitBytes: number;
  readonly #parts: WritingParts;
  readonly #session: LogSession;
  readonly #allocator: Allocator;
  #isOpened = false;

  /**
   * @throws {ImageFormatError} if the image is damaged, so that it can only be read
   * @throws {SystemError} if its BAT cannot be read
   */
  constructor(parts: WritingParts) {
    const { file, header, shape } = parts;
    this.files = [file];
    // Where something lies below, only whole blocks can be said to be zeros.
    this.unitBytes = shape.hasParent ? shape.blockBytes : UNIT_BYTES;
    this.#parts = parts;
    this.#session = new LogSession(file, header);
    this.#allocator = new Allocator(parts, endOf(parts));
  }

  /** It is its own: what it writes are the tables, and what the headers say. */
  get tables(): Tables {
    return this;
  }

  place(guestOffset: number, lengthBytes: number, placement: Placement): void {
    this.#open();
    placement.guestOffset = guestOffset;
    placement.kind = Place.Direct;
    const { file, bat, shape: { blockBytes, hasParent } } = this.#parts;
    const block = Math.floor(guestOffset / blockBytes);
    const position = bat.find(block, placement);
    if (position < 0) return;
    const runBytes = bat.runBytes(position, guestOffset, lengthBytes);
    const hostOffset = bat.hostOffset(position) + guestOffset % blockBytes;
    switch (bat.state(position)) {
      case BlockState.fullyPresent:
        return placement.setDirect(file, hostOffset, runBytes);
      case BlockState.partiallyPresent:
        if (!hasParent) break;
        return this.#placeSectors(hostOffset, runBytes, placement);
      case BlockState.notPresent:
        if (hasParent) return this.#placeInNew(runBytes, placement);
        return setZeroed(placement, runBytes);
      case BlockState.undefined:
      case BlockState.zero:
      case BlockState.unmapped:
      case BlockState.unmappedBefore:
        return setZeroed(placement, runBytes);
    }
    throw damaged(file.path, `the state of block ${block} is not possible`);
  }

  /** Sectors that are there are written to directly, others get to be there. */
  #placeSectors(hostOffset: number, lengthBytes: number, placement: Placement): void {
    const { file, bits } = this.#parts;
    const count = bits.find(placement.guestOffset, lengthBytes, placement);
    if (count === 0) return;
    if (count > 0) return placement.setDirect(file, hostOffset, count);
    this.#setSectors(-count, placement);
    placement.hasPlace = true;
  }

  /** In a block that is not there yet: a whole one, or sectors whose bits are in one page. */
  #placeInNew(lengthBytes: number, placement: Placement): void {
    const { blockBytes, sectorBytes } = this.#parts.shape;
    const inBlock = placement.guestOffset % blockBytes;
    if (inBlock === 0 && lengthBytes >= blockBytes) return placement.setFresh(0, blockBytes, 0);
    const pageBytes = SECTORS_IN_PAGE * sectorBytes;
    const inPage = pageBytes - placement.guestOffset % pageBytes;
    this.#setSectors(Math.min(lengthBytes, blockBytes - inBlock, inPage), placement);
  }

  #setSectors(lengthBytes: number, placement: Placement): void {
    const { sectorBytes } = this.#parts.shape;
    const head = placement.guestOffset % sectorBytes;
    const tail = -(head + lengthBytes) & sectorBytes - 1;
    placement.readsAsZeros = false;
    placement.setFresh(head, lengthBytes, tail);
  }

  reserve(placement: Placement): boolean {
    this.#open();
    return this.#willChange(placement) && this.#allocator.reserve(placement);
  }

  /**
   * Whether tables can be changed, which is durable in one go. What is on its way to the disk counts: if it
   * does not get there, it has to be written once more, with all that was changed meanwhile.
   */
  #willChange(placement: Placement): boolean {
    this.#session.start();
    const most = this.#session.mostPages - PAGES_OF_ALLOCATION;
    if (this.#parts.pages.unwrittenPages <= most) return true;
    placement.attempt.wantsFlush = true;
    placement.setBlocked();
    return false;
  }

  settle(placement: Placement, isWritten: boolean): void {
    this.#allocator.settle(isWritten);
    placement.kind = Place.Fresh;
  }

  clear(guestOffset: number, lengthBytes: number, to: Cleared, placement: Placement): number {
    this.#open();
    if (to === Cleared.Nothing) return ClearOutcome.Unable;
    const willChange = (): boolean => this.#willChange(placement);
    return clear(this.#parts, { guestOffset, lengthBytes, to }, placement, willChange);
  }

  /** @throws {SystemError} if something was lost, or the image cannot be changed */
  #open(): void {
    const { file } = this.#parts;
    if (file.hasLost) throw new SystemError("write", EIO, file.path);
    if (this.#isOpened) return;
    this.#session.renew();
    this.#isOpened = true;
  }

  /** The log, which is not empty, is replayed, so that the image can be closed in order: as after a change. */
  reclaim(): void {
    this.#open();
    this.#session.start();
  }

  isRecorded(): boolean {
    return !this.#parts.pages.isUnwritten;
  }

  get hasUpdates(): boolean {
    return !this.#parts.file.hasLost && this.#parts.pages.dirtyPages > 0;
  }

  get wantsFlush(): boolean {
    const { file, pages } = this.#parts;
    return !file.hasLost && (pages.isFull || pages.dirtyPages > this.#session.mostPages / 2);
  }

  /** What would be lost is what has been written since the last flush: as with a disk. */
  get wantsFlushSoon(): boolean {
    return false;
  }

  takeUpdates(updates: Updates): void {
    this.#session.takeUpdates(updates, this.#parts.pages);
  }

  reached(level: Level): void {
    this.#session.reached(level);
  }

  updated(isDurable: boolean): void {
    this.#parts.pages.updated(isDurable);
  }

  freeSome(): boolean {
    return false;
  }

  conclude(): void {
    if (!this.#parts.file.hasLost) this.#session.conclude();
  }
}

function setZeroed(placement: Placement, lengthBytes: number): void {
  placement.readsAsZeros = true;
  placement.setFresh(0, lengthBytes, 0);
}

function endOf(parts: WritingParts): number {
  const { file, header: { fields } } = parts;
  return unlessOnlyReadable(() => {
    if (!isLogSound(fields, file)) throw damaged(file.path, "there is no log");
    // What a crash leaves in it could not be replayed here.
    if (fields.log_length > MAX_LOG_BYTES) throw damaged(file.path, "the log is too large");
    return usedEnd(parts);
  });
}
