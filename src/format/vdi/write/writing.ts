/**
 * What changes a VDI image.
 *
 * Two levels of updates: how many blocks are stored, then which block is stored where. After a crash in
 * between, a number counts that nobody uses; the other way round, it would be given out once more.
 *
 * @module
 */
import { unlessOnlyReadable, UnsupportedFeatureError } from "../../../image/errors.ts";
import { VDI } from "../../../image/formats.ts";
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
import type { FlatTable } from "../../kit/flat_table.ts";
import { Entries } from "../entries.ts";
import type { Header } from "../header.ts";
import { ENTRY_BYTES, ENTRY_ZERO } from "../layout.ts";
import { BlockNumbers, type NumberRun } from "./block_numbers.ts";
import { CountedBlocks } from "./counted_blocks.ts";
import { HeaderFields } from "./header_fields.ts";

/** Of a larger block, the rest takes too much memory where it has to be copied from below. */
const MAX_COPIED_BLOCK_BYTES = 16 * 1024 * 1024;

/** What an image consists of that is to be changed. */
export interface WritingParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly table: FlatTable;
  /** Whether something shows where nothing is stored. */
  readonly hasBacking: boolean;
}

export class VdiWriting implements Writing, Tables {
  readonly files: readonly ImageFile[];
  readonly writers = "one";
  readonly unitBytes: number;
  readonly #file: ImageFile;
  readonly #header: Header;
  readonly #table: FlatTable;
  readonly #entries: Entries;
  readonly #numbers: BlockNumbers;
  readonly #fields: HeaderFields;
  readonly #counted: CountedBlocks;
  #isOpened = false;

  /**
   * @throws {ImageFormatError} if the map is damaged
   * @throws {UnsupportedFeatureError} if its blocks are too large to be copied
   * @throws {SystemError} if the map cannot be read
   */
  constructor({ file, header, table, hasBacking }: WritingParts) {
    if (hasBacking && header.blockBytes > MAX_COPIED_BLOCK_BYTES) {
      const feature = `blocks of ${header.blockBytes} bytes, when a child is written to,`;
      throw new UnsupportedFeatureError(VDI.name, file.path, feature);
    }
    this.files = [file];
    this.unitBytes = header.blockBytes;
    this.#file = file;
    this.#header = header;
    this.#table = table;
    this.#entries = new Entries({ header, table, hasBacking });
    this.#numbers = unlessOnlyReadable(() => new BlockNumbers(file, header));
    this.#fields = new HeaderFields(file, header.allocated);
    const numbers = this.#numbers;
    this.#counted = new CountedBlocks({ file, header, numbers, reserves: !hasBacking });
  }

  /** It is its own: what it writes is nothing but the map and the header. */
  get tables(): Tables {
    return this;
  }

  place(guestOffset: number, lengthBytes: number, placement: Placement): void {
    this.#open();
    placement.guestOffset = guestOffset;
    const position = this.#find(placement);
    if (position < 0) return;
    const { blockBytes } = this.#header;
    const entry = this.#entries.at(position);
    const inBlock = guestOffset % blockBytes;
    const runBytes = this.#entries.runBytes(position, guestOffset, lengthBytes);
    if (entry < ENTRY_ZERO) {
      return placement.setDirect(this.#file, this.#hostOffset(entry) + inBlock, runBytes);
    }
    placement.readsAsZeros = this.#entries.isZero(entry);
    placement.setFreshUnits(inBlock, runBytes, blockBytes);
  }

  /** Position of the entry that a placement begins with; -1 if it is Blocked. */
  #find(placement: Placement): number {
    const block = Math.floor(placement.guestOffset / this.#header.blockBytes);
    placement.kind = Place.Direct;
    return this.#table.find(block, placement);
  }

  #hostOffset(number: number): number {
    const { dataOffset, extraBytes, blockBytes } = this.#header;
    return dataOffset + number * (extraBytes + blockBytes) + extraBytes;
  }

  reserve(placement: Placement): boolean {
    this.#open();
    if (this.#find(placement) < 0) return false;
    const { blockBytes, extraBytes } = this.#header;
    const { headBytes, lengthBytes, tailBytes } = placement;
    const wanted = Math.ceil((headBytes + lengthBytes + tailBytes) / blockBytes);
    const run = this.#counted.take(extraBytes > 0 ? 1 : wanted);
    if (run.count === 0) {
      placement.attempt.wantsFlush = true;
      placement.setBlocked();
      return false;
    }
    const start = this.#hostOffset(run.first);
    let isHole = false;
    try {
      isHole = this.#counted.claim(run);
      placement.isBlank = isHole || this.#isCleared(run);
    } catch (error) {
      this.#numbers.giveBack(run);
      throw error;
    }
    placement.kind = Place.Fresh;
    placement.file = this.#file;
    placement.hostOffset = start + headBytes;
    // What is there instead, if the bytes are not, are zeros.
    placement.isCounted = isHole && placement.readsAsZeros && this.#counted.areReady(run);
    if (run.count < wanted) placement.lengthBytes = run.count * blockBytes;
    return true;
  }

  /** Has what is too large to be copied be zeros, which will be durable before anything refers to it. */
  #isCleared({ first, count }: NumberRun): boolean {
    const { blockBytes, extraBytes } = this.#header;
    if (blockBytes <= MAX_COPIED_BLOCK_BYTES) return false;
    const lengthBytes = count * (extraBytes + blockBytes);
    const range = { hostOffset: this.#hostOffset(first) - extraBytes, lengthBytes };
    return clearRange(this.#file, Cleared.Zeros, range);
  }

  settle(placement: Placement, isWritten: boolean): void {
    const { headBytes, lengthBytes, tailBytes, hostOffset } = placement;
    const { blockBytes, dataOffset, extraBytes } = this.#header;
    const count = Math.ceil((headBytes + lengthBytes + tailBytes) / blockBytes);
    const start = hostOffset - headBytes - extraBytes - dataOffset;
    const first = start / (extraBytes + blockBytes);
    if (!isWritten) return this.#numbers.giveBack({ first, count });
    const { isCounted } = placement;
    this.#entries.link(this.#find(placement), { first, count }, isCounted);
    placement.kind = Place.Fresh;
  }

  clear(guestOffset: number, lengthBytes: number, to: Cleared, placement: Placement): number {
    this.#open();
    placement.guestOffset = guestOffset;
    const position = this.#find(placement);
    if (position < 0) return ClearOutcome.Blocked;
    if (to === Cleared.Nothing) return ClearOutcome.Unable;
    const entry = this.#entries.at(position);
    const runBytes = this.#entries.runBytes(position, guestOffset, lengthBytes);
    if (entry < ENTRY_ZERO) return this.#clearStored(entry, runBytes, to);
    if (!this.#entries.isZero(entry) && to !== Cleared.Discarded) {
      const count = Math.ceil(runBytes / this.#header.blockBytes);
      for (let n = 0; n < count; n++) this.#entries.set(position + n * ENTRY_BYTES, ENTRY_ZERO);
    }
    return runBytes;
  }

  /** What is stored stays so: the numbers in use may have no gaps. */
  #clearStored(entry: number, runBytes: number, to: Cleared): number {
    const hostOffset = this.#hostOffset(entry);
    const { blockBytes } = this.#header;
    const wholeBytes = Math.ceil(runBytes / blockBytes) * blockBytes;
    const lengthBytes = Math.min(wholeBytes, this.#file.sizeBytes - hostOffset);
    const isCleared = clearRange(this.#file, to, { hostOffset, lengthBytes });
    return isCleared ? runBytes : ClearOutcome.Unable;
  }

  /** @throws {SystemError} if something was lost, or the image cannot be changed */
  #open(): void {
    if (this.#file.hasLost) throw new SystemError("write", EIO, this.#file.path);
    if (this.#isOpened) return;
    this.#counted.begin();
    this.#fields.begin(this.#counted.count);
    this.#counted.isDurable();
    this.#isOpened = true;
  }

  /** What was counted, or made ready, in vain is cut off when it is closed: as after a change. */
  reclaim(): void {
    this.#open();
  }

  isRecorded(guestOffset: number, lengthBytes: number): boolean {
    const { blockBytes } = this.#header;
    const first = Math.floor(guestOffset / blockBytes);
    const end = Math.ceil((guestOffset + lengthBytes) / blockBytes);
    return this.#table.areWritten(first, end - first);
  }

  get hasUpdates(): boolean {
    return this.#isOpened && !this.#file.hasLost &&
      (this.#table.hasDirty || this.#fields.lacks(this.#counted.count));
  }

  get wantsFlush(): boolean {
    return !this.#file.hasLost && this.#table.isCrowded;
  }

  get wantsFlushSoon(): boolean {
    return this.#isOpened && !this.#file.hasLost && this.#counted.isLow;
  }

  takeUpdates(updates: Updates): void {
    if (!this.#isOpened) return;
    this.#counted.fill();
    this.#fields.takeUpdates(updates, this.#counted.count);
    this.#table.takeUpdates(updates);
  }

  reached(): void {}

  updated(isDurable: boolean): void {
    if (isDurable) this.#counted.isDurable();
    this.#fields.updated(isDurable);
    this.#table.updated(isDurable);
  }

  freeSome(): boolean {
    return false;
  }

  /** What was counted in vain is cut off, so that all that is counted is in use. */
  conclude(): void {
    if (!this.#isOpened || this.#file.hasLost) return;
    this.#counted.conclude();
    const { count } = this.#counted;
    if (this.#fields.lacks(count)) this.#fields.writeCount(count);
  }
}
