/**
 * What changes a Parallels image: clusters are written behind all others, made durable, and then the BAT
 * refers to them. All a crash can leave is that the image seems to be in use, and a file that is too long.
 *
 * @module
 */
import { unlessOnlyReadable, UnsupportedFeatureError } from "../../../image/errors.ts";
import { PARALLELS } from "../../../image/formats.ts";
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
import { EFBIG, EIO, ENOSPC, SystemError } from "../../../sys/errno.ts";
import { clearRange } from "../../kit/clear_range.ts";
import type { FlatTable } from "../../kit/flat_table.ts";
import type { Entries } from "../entries.ts";
import type { Header } from "../header.ts";
import { ENTRY_BYTES, ENTRY_FREE } from "../layout.ts";
import { ClusterSpace } from "./cluster_space.ts";
import { HeaderFields } from "./header_fields.ts";
import { obstacleInHeader } from "./obstacle.ts";

const MAX_ENTRY = 0xffff_ffff;

/** What an image consists of that is to be changed. */
export interface WritingParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly table: FlatTable;
  readonly entries: Entries;
  /** Whether something shows where nothing is stored. */
  readonly hasBacking: boolean;
}

export class ParallelsWriting implements Writing, Tables {
  readonly files: readonly ImageFile[];
  readonly writers = "one";
  readonly unitBytes: number;
  readonly #parts: WritingParts;
  readonly #space: ClusterSpace;
  readonly #fields: HeaderFields;
  #isOpened = false;

  /**
   * @throws {ImageFormatError} if the BAT is damaged
   * @throws {UnsupportedFeatureError} if the image cannot be kept in order
   * @throws {SystemError} if the BAT cannot be read
   */
  constructor(parts: WritingParts) {
    const { file, header } = parts;
    refuseUnwritable(file, header);
    this.files = [file];
    this.unitBytes = header.clusterBytes;
    this.#parts = parts;
    this.#space = unlessOnlyReadable(() => new ClusterSpace(file, header));
    this.#fields = new HeaderFields(file, header);
  }

  /** It is its own: what it writes is nothing but the BAT and the header. */
  get tables(): Tables {
    return this;
  }

  place(guestOffset: number, lengthBytes: number, placement: Placement): void {
    this.#open();
    placement.guestOffset = guestOffset;
    const position = this.#find(placement);
    if (position < 0) return;
    const { file, entries, hasBacking } = this.#parts;
    const clusterBytes = this.unitBytes;
    const entry = entries.at(position);
    const inCluster = guestOffset % clusterBytes;
    const runBytes = entries.runBytes(position, guestOffset, lengthBytes);
    if (entry !== ENTRY_FREE) {
      return placement.setDirect(file, this.#hostOffset(entry) + inCluster, runBytes);
    }
    placement.readsAsZeros = !hasBacking;
    placement.setFreshUnits(inCluster, runBytes, clusterBytes);
  }

  /** Position of the entry that a placement begins with; -1 if it is Blocked. */
  #find(placement: Placement): number {
    placement.kind = Place.Direct;
    const cluster = Math.floor(placement.guestOffset / this.unitBytes);
    return this.#parts.table.find(cluster, placement);
  }

  #hostOffset(entry: number): number {
    return entry * this.#parts.header.entryUnitBytes;
  }

  reserve(placement: Placement): boolean {
    this.#open();
    if (this.#find(placement) < 0) return false;
    const { headBytes, lengthBytes, tailBytes } = placement;
    const wanted = Math.ceil((headBytes + lengthBytes + tailBytes) / this.unitBytes);
    const run = this.#space.take(wanted);
    try {
      placement.isBlank = this.#makeRoom(run.hostOffset, run.count * this.unitBytes);
    } catch (error) {
      this.#space.giveBack(run);
      throw error;
    }
    placement.kind = Place.Fresh;
    placement.file = this.#parts.file;
    placement.hostOffset = run.hostOffset + headBytes;
    placement.isCounted = false;
    if (run.count < wanted) placement.lengthBytes = run.count * this.unitBytes;
    return true;
  }

  /** Has the file have a range; whether it has zeros there. */
  #makeRoom(start: number, lengthBytes: number): boolean {
    const { file, header } = this.#parts;
    const end = start + lengthBytes;
    if (end / header.entryUnitBytes > MAX_ENTRY) throw new SystemError("write", EFBIG, file.path);
    const isBlank = start >= file.sizeBytes;
    if (end <= file.sizeBytes) return false;
    if (!file.canGrow) throw new SystemError("write", ENOSPC, file.path);
    file.setSize(end);
    return isBlank;
  }

  settle(placement: Placement, isWritten: boolean): void {
    const { headBytes, lengthBytes, tailBytes } = placement;
    const { entries, header: { entryUnitBytes } } = this.#parts;
    const count = Math.ceil((headBytes + lengthBytes + tailBytes) / this.unitBytes);
    const hostOffset = placement.hostOffset - headBytes;
    if (!isWritten) return this.#space.giveBack({ hostOffset, count });
    const position = this.#find(placement);
    for (let n = 0; n < count; n++) {
      const entry = (hostOffset + n * this.unitBytes) / entryUnitBytes;
      entries.set(position + n * ENTRY_BYTES, entry);
    }
    placement.kind = Place.Fresh;
  }

  clear(guestOffset: number, lengthBytes: number, to: Cleared, placement: Placement): number {
    this.#open();
    placement.guestOffset = guestOffset;
    const position = this.#find(placement);
    if (position < 0) return ClearOutcome.Blocked;
    if (to === Cleared.Nothing) return ClearOutcome.Unable;
    const { entries, hasBacking } = this.#parts;
    const entry = entries.at(position);
    const runBytes = entries.runBytes(position, guestOffset, lengthBytes);
    if (entry !== ENTRY_FREE) return this.#clearStored(entry, runBytes, to);
    return hasBacking && to !== Cleared.Discarded ? ClearOutcome.Unable : runBytes;
  }

  /** What is stored stays so. */
  #clearStored(entry: number, runBytes: number, to: Cleared): number {
    const { file } = this.#parts;
    const hostOffset = this.#hostOffset(entry);
    const wholeBytes = Math.ceil(runBytes / this.unitBytes) * this.unitBytes;
    const lengthBytes = Math.min(wholeBytes, file.sizeBytes - hostOffset);
    return clearRange(file, to, { hostOffset, lengthBytes }) ? runBytes : ClearOutcome.Unable;
  }

  /** @throws {SystemError} if something was lost, or the image cannot be changed */
  #open(): void {
    const { file } = this.#parts;
    if (file.hasLost) throw new SystemError("write", EIO, file.path);
    if (this.#isOpened) return;
    this.#fields.markOpen();
    this.#isOpened = true;
  }

  isRecorded(guestOffset: number, lengthBytes: number): boolean {
    const first = Math.floor(guestOffset / this.unitBytes);
    const end = Math.ceil((guestOffset + lengthBytes) / this.unitBytes);
    return this.#parts.table.areWritten(first, end - first);
  }

  get hasUpdates(): boolean {
    const { file, table } = this.#parts;
    return this.#isOpened && !file.hasLost && table.hasDirty;
  }

  get wantsFlush(): boolean {
    const { file, table } = this.#parts;
    return !file.hasLost && table.isCrowded;
  }

  /** Nothing can be written at once that refers to new clusters. */
  get wantsFlushSoon(): boolean {
    return false;
  }

  takeUpdates(updates: Updates): void {
    if (this.#isOpened) this.#parts.table.takeUpdates(updates);
  }

  reached(): void {}

  updated(isDurable: boolean): void {
    this.#parts.table.updated(isDurable);
  }

  freeSome(): boolean {
    return false;
  }

  /** What was given out in vain is cut off. */
  conclude(): void {
    const { file } = this.#parts;
    if (!this.#isOpened || file.hasLost) return;
    const end = this.#space.usedEnd();
    if (file.canGrow && end < file.sizeBytes) file.setSize(end);
    this.#fields.markClosed();
  }
}

/** @throws {UnsupportedFeatureError} if it is only read */
function refuseUnwritable({ path }: ImageFile, header: Header): void {
  const obstacle = obstacleInHeader(header);
  if (obstacle === undefined) return;
  throw new UnsupportedFeatureError(PARALLELS.name, path, `${obstacle}, when they are written to,`);
}
