/**
 * What changes a dynamic or differencing image.
 *
 * Its unit is the sector: each has a bit. A block that is added is a hole, durably, before anything refers
 * to it, so its entry in the table may be written at any time. In a differencing image, a bit is written
 * once the bytes are durable that show instead of the parent's. In a dynamic one, sectors with bit 0 have
 * zeros, so their bits need no order; all of a new block are 1, as qemu has them.
 *
 * @module
 */
import type { Updates } from "../../../image/updates.ts";
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
import { clearRange } from "../../kit/clear_range.ts";
import type { AllocationTable } from "../allocation_table.ts";
import type { Bitmaps } from "../bitmaps.ts";
import type { Footer } from "../footer.ts";
import type { BlockHeader } from "../header.ts";
import { ENTRY_NONE, SECTOR_BYTES } from "../layout.ts";
import { FileEnd, NONE_READY } from "./file_end.ts";
import { OwnSectors } from "./own_sectors.ts";
import { findUsedPlaces, memoryForPlaces } from "./used_places.ts";

/** What an image consists of that is to be changed. */
export interface WritingParts {
  readonly file: ImageFile;
  readonly header: BlockHeader;
  readonly footer: Footer;
  readonly table: AllocationTable;
  readonly bitmaps: Bitmaps;
  /** Whether something shows where nothing is stored. */
  readonly hasBacking: boolean;
}

/** What writing needs besides caches, in bytes. */
export function writingMemory(header: BlockHeader): number {
  return memoryForPlaces(header) + OwnSectors.memoryFor(header);
}

export class BlockWriting implements Writing, Tables {
  readonly files: readonly ImageFile[];
  readonly writers = "one";
  readonly unitBytes: number = SECTOR_BYTES;
  readonly clearsInPlace = true;
  readonly #file: ImageFile;
  readonly #header: BlockHeader;
  readonly #table: AllocationTable;
  readonly #bitmaps: Bitmaps;
  readonly #hasBacking: boolean;
  readonly #end: FileEnd;
  readonly #sectors: OwnSectors;
  #isOpened = false;

  /**
   * @throws {ImageFormatError} if parts of the file overlap, or are not in it
   * @throws {SystemError} if the table cannot be read
   */
  constructor({ file, header, footer, table, bitmaps, hasBacking }: WritingParts) {
    this.files = [file];
    this.#file = file;
    this.#header = header;
    this.#table = table;
    this.#bitmaps = bitmaps;
    this.#hasBacking = hasBacking;
    const places = findUsedPlaces(file, header, footer);
    this.#end = new FileEnd(file, { header, footer, places });
    this.#sectors = new OwnSectors({ file, header, table, bitmaps });
  }

  /** It is its own: what it writes is nothing but entries, bits and footers. */
  get tables(): Tables {
    return this;
  }

  place(guestOffset: number, lengthBytes: number, placement: Placement): void {
    this.#open();
    placement.guestOffset = guestOffset;
    const position = this.#find(placement);
    if (position < 0) return;
    const entry = this.#table.at(position);
    const inPiece = Math.min(lengthBytes, this.#sectors.restOfPiece(guestOffset));
    placement.readsAsZeros = !this.#hasBacking;
    if (entry === ENTRY_NONE) return setFresh(placement, inPiece);
    const runBytes = this.#sectors.runBytes(entry, guestOffset, inPiece, placement);
    if (runBytes === 0) return;
    const isOwn = runBytes > 0 || !this.#header.isDifferencing;
    if (!isOwn) {
      setFresh(placement, -runBytes);
      placement.hasPlace = true;
      return;
    }
    if (runBytes < 0) this.#sectors.add(entry, guestOffset, -runBytes, placement);
    const hostOffset = this.#table.dataOffset(entry, guestOffset);
    placement.setDirect(this.#file, hostOffset, Math.abs(runBytes));
  }

  /** Position of the entry that a placement begins with; -1 if it is Blocked. */
  #find(placement: Placement): number {
    placement.kind = Place.Direct;
    return this.#table.find(placement.guestOffset, placement);
  }

  reserve(placement: Placement): boolean {
    this.#open();
    const { guestOffset } = placement;
    const position = this.#find(placement);
    if (position < 0) return false;
    const entry = this.#table.at(position);
    const isNew = entry === ENTRY_NONE;
    const place = isNew ? this.#newBlock(placement) : entry;
    if (place === ENTRY_NONE) return false;
    // The bits are about to be changed.
    if (!isNew && this.#sectors.runBytes(entry, guestOffset, 1, placement) === 0) return false;
    placement.kind = Place.Fresh;
    placement.file = this.#file;
    placement.hostOffset = this.#table.dataOffset(place, guestOffset);
    placement.isBlank = isNew;
    return true;
  }

  /** The first sector of a block that has a bitmap, and no entry yet; {@link ENTRY_NONE} if that is Blocked. */
  #newBlock(placement: Placement): number {
    const start = this.#end.take();
    if (start === NONE_READY) {
      placement.attempt.wantsFlush = true;
      placement.setBlocked();
      return ENTRY_NONE;
    }
    const entry = start / SECTOR_BYTES;
    let isBegun = false;
    try {
      isBegun = this.#sectors.begin(entry, placement.guestOffset, placement);
    } finally {
      if (!isBegun) this.#end.giveBack(start);
    }
    return isBegun ? entry : ENTRY_NONE;
  }

  settle(placement: Placement, isWritten: boolean): void {
    const { guestOffset, hostOffset, headBytes, lengthBytes, tailBytes } = placement;
    const { bitmapBytes, blockBytes, isDifferencing } = this.#header;
    const start = hostOffset - guestOffset % blockBytes - bitmapBytes;
    const position = this.#find(placement);
    const isNew = this.#table.at(position) === ENTRY_NONE;
    placement.kind = Place.Fresh;
    if (isNew && !isWritten) this.#end.giveBack(start);
    if (!isWritten) return;
    const entry = start / SECTOR_BYTES;
    if (isNew) this.#table.link(position, entry);
    if (!isDifferencing) {
      if (isNew && !this.#table.areWritten(guestOffset, lengthBytes)) this.#widen(placement);
      return;
    }
    this.#sectors.add(
      entry,
      guestOffset - headBytes,
      headBytes + lengthBytes + tailBytes,
      placement,
    );
  }

  /**
   * Has a placement be about all of its block, which is in no table on the disk yet: whatever is written to it
   * is so in place, and does not get places of its own.
   */
  #widen(placement: Placement): void {
    const { guestOffset, headBytes, lengthBytes, tailBytes } = placement;
    const { blockBytes } = this.#header;
    const inBlock = guestOffset % blockBytes;
    placement.blankBefore = inBlock - headBytes;
    placement.blankBehind = blockBytes - inBlock - lengthBytes - tailBytes;
  }

  clear(guestOffset: number, lengthBytes: number, to: Cleared, placement: Placement): number {
    this.#open();
    placement.guestOffset = guestOffset;
    const position = this.#find(placement);
    if (position < 0) return ClearOutcome.Blocked;
    if (to === Cleared.Nothing) return ClearOutcome.Unable;
    const entry = this.#table.at(position);
    const inPiece = Math.min(lengthBytes, this.#sectors.restOfPiece(guestOffset));
    if (entry !== ENTRY_NONE) return this.#clearStored(entry, inPiece, to, placement);
    if (!this.#hasBacking || to === Cleared.Discarded) {
      return this.#table.missingBytes(position, guestOffset, lengthBytes);
    }
    const place = this.#newBlock(placement);
    if (place === ENTRY_NONE) return ClearOutcome.Blocked;
    this.#table.link(position, place);
    this.#sectors.add(place, guestOffset, inPiece, placement);
    return inPiece;
  }

  /** Of a differencing image, what is the parent's stays that unless zeros have to be there. */
  #clearStored(entry: number, lengthBytes: number, to: Cleared, placement: Placement): number {
    const { guestOffset } = placement;
    const runBytes = this.#sectors.runBytes(entry, guestOffset, lengthBytes, placement);
    if (runBytes === 0) return ClearOutcome.Blocked;
    const isBelow = runBytes < 0 && this.#header.isDifferencing;
    const cleared = Math.abs(runBytes);
    if (isBelow && (to === Cleared.Discarded || !this.#hasBacking)) return cleared;
    const hostOffset = this.#table.dataOffset(entry, guestOffset);
    const range = { hostOffset, lengthBytes: cleared };
    if (!clearRange(this.#file, to, range)) return ClearOutcome.Unable;
    if (isBelow) this.#sectors.add(entry, guestOffset, cleared, placement);
    return cleared;
  }

  /** @throws {SystemError} if something was lost, or the image cannot be changed */
  #open(): void {
    if (this.#file.hasLost) throw new SystemError("write", EIO, this.#file.path);
    if (this.#isOpened) return;
    this.#end.repair();
    this.#isOpened = true;
  }

  /** What was counted, or made ready, in vain is cut off when it is closed: as after a change. */
  reclaim(): void {
    this.#open();
  }

  isRecorded(guestOffset: number, lengthBytes: number): boolean {
    return this.#table.areWritten(guestOffset, lengthBytes) &&
      this.#sectors.areWritten(guestOffset, lengthBytes);
  }

  get hasUpdates(): boolean {
    return !this.#file.hasLost && (this.#table.hasDirty || this.#bitmaps.hasDirty);
  }

  get wantsFlush(): boolean {
    return !this.#file.hasLost && (this.#table.isCrowded || this.#bitmaps.isCrowded);
  }

  get wantsFlushSoon(): boolean {
    return !this.#file.hasLost && this.#end.isLow;
  }

  takeUpdates(updates: Updates): void {
    if (!this.#isOpened || this.#file.hasLost) return;
    this.#end.fill();
    this.#table.takeUpdates(updates);
    this.#bitmaps.takeUpdates(updates);
  }

  reached(): void {}

  updated(isDurable: boolean): void {
    if (isDurable) this.#end.isDurable();
    this.#table.updated(isDurable);
    this.#bitmaps.updated(isDurable);
  }

  freeSome(): boolean {
    return false;
  }

  conclude(): void {
    if (this.#isOpened && !this.#file.hasLost) this.#end.conclude();
  }
}

/** Sectors of their own, in which the bytes that are written may begin or end. */
function setFresh(placement: Placement, runBytes: number): void {
  placement.setFreshUnits(placement.guestOffset % SECTOR_BYTES, runBytes, SECTOR_BYTES);
}
