/**
 * Places for what is written: of whole blocks, or of some sectors of one.
 *
 * @module
 */
import { Place, type Placement } from "../../../image/writing.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { ENOSPC, SystemError } from "../../../sys/errno.ts";
import { setBits } from "../../kit/sector_bits.ts";
import type { Bat } from "../bat.ts";
import { pageInBits, SECTORS_IN_PAGE } from "../chunk_bits.ts";
import {
  BAT_ENTRY_BYTES,
  BITMAP_BLOCK_BYTES,
  BITMAP_PRESENT,
  BlockState,
  CHUNK_SECTORS,
} from "../layout.ts";
import type { MetadataPages } from "../metadata_pages.ts";
import type { Shape } from "../shape.ts";

/** What is changed of the image. */
export interface AllocatorParts {
  readonly file: ImageFile;
  readonly pages: MetadataPages;
  readonly bat: Bat;
  readonly shape: Shape;
}

/** Bits that are to be set, and where the block of them is. */
interface BitsPlace {
  /** Positions of the entry and of the page. */
  readonly entry: number;
  readonly page: number;
  readonly hostOffset: number;
  readonly isNew: boolean;
  readonly sector: number;
  readonly count: number;
}

/** What has been reserved, until it is settled. */
interface Reservation {
  /** Position of the first entry. */
  readonly entry: number;
  readonly blocks: number;
  readonly hostOffset: number;
  readonly hasPlace: boolean;
  readonly bits: BitsPlace | undefined;
  /** Where new things in the file begin, and how large it was before. */
  readonly start: number;
  readonly fileBytes: number;
}

export class Allocator {
  readonly #parts: AllocatorParts;
  /** Nothing lies in the file from here on. */
  #end: number;
  #reserved: Reservation | undefined;

  constructor(parts: AllocatorParts, end: number) {
    this.#parts = parts;
    this.#end = end;
  }

  /**
   * As {@link Tables.reserve}.
   *
   * @throws {SystemError} if there is no room
   */
  reserve(placement: Placement): boolean {
    const { bat, pages, shape: { blockBytes } } = this.#parts;
    const start = placement.guestOffset - placement.headBytes;
    const entry = bat.find(Math.floor(start / blockBytes), placement);
    if (entry < 0) return false;
    pages.pin(entry);
    const bits = this.#hasBits(entry, start, placement)
      ? this.#findBits(start, placement)
      : undefined;
    if (bits !== "blocked") {
      this.#take({ entry, bits }, start, placement);
      return true;
    }
    pages.unpin(entry);
    return false;
  }

  /** Whether the block has, or will have, sectors that are not the image's own. */
  #hasBits(entry: number, start: number, placement: Placement): boolean {
    const { bat, shape: { blockBytes, hasParent } } = this.#parts;
    const state = bat.state(entry);
    if (state === BlockState.partiallyPresent) return true;
    if (!hasParent || state !== BlockState.notPresent) return false;
    return start % blockBytes > 0 || wholeBytes(placement) < blockBytes;
  }

  /** Finds and pins the pages that say which sectors are there. */
  #findBits(start: number, placement: Placement): BitsPlace | "blocked" {
    const { bat, pages, shape: { sectorBytes } } = this.#parts;
    const first = start / sectorBytes;
    const entry = bat.findBits(Math.floor(first / CHUNK_SECTORS), placement);
    if (entry < 0) return "blocked";
    pages.pin(entry);
    const isNew = bat.state(entry) !== BITMAP_PRESENT;
    const hostOffset = isNew ? this.#end : bat.hostOffset(entry);
    const pageOffset = hostOffset + pageInBits(first);
    const page = isNew ? pages.findNew(pageOffset, placement) : pages.find(pageOffset, placement);
    if (page < 0) {
      pages.unpin(entry);
      return "blocked";
    }
    pages.pin(page);
    const count = wholeBytes(placement) / sectorBytes;
    return { entry, page, hostOffset, isNew, sector: first % SECTORS_IN_PAGE, count };
  }

  #take(
    { entry, bits }: Pick<Reservation, "entry" | "bits">,
    start: number,
    placement: Placement,
  ): void {
    const { file, bat, shape: { blockBytes } } = this.#parts;
    const { hasPlace, headBytes } = placement;
    const inBlock = start % blockBytes;
    const blocks = Math.ceil((inBlock + wholeBytes(placement)) / blockBytes);
    const bitsBytes = bits?.isNew ? BITMAP_BLOCK_BYTES : 0;
    const fresh = this.#end + bitsBytes;
    const hostOffset = hasPlace ? bat.hostOffset(entry) : fresh;
    const reserved = { entry, blocks, hostOffset, hasPlace, bits };
    this.#reserved = { ...reserved, start: this.#end, fileBytes: file.sizeBytes };
    try {
      this.#makeRoom(hasPlace ? fresh : fresh + blocks * blockBytes);
    } catch (error) {
      this.#unpin(this.#reserved);
      throw error;
    }
    placement.kind = Place.Fresh;
    placement.file = file;
    placement.hostOffset = hostOffset + inBlock + headBytes;
    placement.isBlank = !hasPlace;
    placement.isCounted = false;
    // Of others, each sector gets its bit when it is written to.
    const areWhole = !hasPlace && bits === undefined;
    placement.blankBefore = areWhole ? inBlock : 0;
    placement.blankBehind = areWhole ? blocks * blockBytes - inBlock - wholeBytes(placement) : 0;
  }

  /** Has the file reach up to `end`, with zeros. */
  #makeRoom(end: number): void {
    const { file } = this.#parts;
    if (end === this.#end) return;
    if (!file.canGrow) throw new SystemError("write", ENOSPC, file.path);
    file.setSize(end);
    this.#end = end;
  }

  /** As {@link Tables.settle}. */
  settle(isWritten: boolean): void {
    const reserved = this.#reserved;
    if (reserved === undefined) return;
    this.#unpin(reserved);
    if (isWritten) this.#record(reserved);
    else this.#giveBack(reserved);
  }

  #unpin({ entry, bits }: Reservation): void {
    const { pages } = this.#parts;
    this.#reserved = undefined;
    pages.unpin(entry);
    if (bits === undefined) return;
    pages.unpin(bits.entry);
    pages.unpin(bits.page);
  }

  #record({ entry, blocks, hostOffset, hasPlace, bits }: Reservation): void {
    const { bat, pages, shape: { blockBytes } } = this.#parts;
    const state = bits === undefined ? BlockState.fullyPresent : BlockState.partiallyPresent;
    for (let n = 0; n < blocks && !hasPlace; n++) {
      bat.set(entry + n * BAT_ENTRY_BYTES, state, hostOffset + n * blockBytes);
    }
    if (bits === undefined) return;
    setBits(pages.bytes, bits.page, bits);
    pages.markDirty(bits.page);
    if (bits.isNew) bat.set(bits.entry, BITMAP_PRESENT, bits.hostOffset);
  }

  /** Cuts off what is not needed; where that fails, it stays unused. */
  #giveBack({ start, fileBytes }: Reservation): void {
    if (this.#end === start) return;
    try {
      this.#parts.file.setSize(fileBytes);
      this.#end = start;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }
}

/** What is written, with what is kept around it. */
function wholeBytes({ headBytes, lengthBytes, tailBytes }: Placement): number {
  return headBytes + lengthBytes + tailBytes;
}
