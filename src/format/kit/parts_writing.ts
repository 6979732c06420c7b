/**
 * Writing to disks that consist of several parts, each of which has a writing of its own that counts from
 * its own start on.
 *
 * @module
 */
import type { Level, Updates } from "../../image/updates.ts";
import type { Cleared, Placement, Tables, Writing } from "../../image/writing.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { EIO, SystemError } from "../../sys/errno.ts";
import { PartStarts } from "./parts.ts";
import { clearPlain } from "./plain_writing.ts";

/** A part that can be written to. */
export interface WritablePart {
  readonly sizeBytes: number;
  readonly writing: Writing;
}

export class PartsWriting implements Writing {
  readonly files: readonly ImageFile[];
  readonly writers = "one";
  readonly tables: Tables | undefined;
  readonly #starts: PartStarts;
  readonly #parts: readonly WritablePart[];

  /**
   * @param parts of the disk, one behind the other
   * @param files that are written to besides those of the parts
   * @throws {RangeError} if units of parts with tables are not units of the disk
   */
  constructor(parts: readonly WritablePart[], files: readonly ImageFile[]) {
    this.#parts = parts;
    this.#starts = new PartStarts(parts.map(({ sizeBytes }) => sizeBytes));
    this.files = [...new Set([...files, ...parts.flatMap(({ writing }) => writing.files)])];
    const unitBytes = commonUnit(parts, this.#starts);
    this.tables = unitBytes === undefined
      ? undefined
      : new PartsTables(parts, this.#starts, { unitBytes, files: this.files });
  }

  /** @throws {SystemError} EIO likewise if something of another part was lost that has tables */
  place(guestOffset: number, lengthBytes: number, placement: Placement): void {
    if (this.tables !== undefined) refuseLost(this.files);
    const index = this.#starts.find(guestOffset);
    const inPart = guestOffset - this.#starts.at(index);
    const { sizeBytes, writing } = partAt(this.#parts, index);
    writing.place(inPart, Math.min(lengthBytes, sizeBytes - inPart), placement);
    placement.guestOffset = guestOffset;
  }

  reclaim(): void {
    for (const { writing } of this.#parts) writing.reclaim?.();
  }

  conclude(): void {
    for (const { writing } of this.#parts) writing.conclude?.();
  }
}

/** No flush succeeds any more then, so that nothing else had better be written. */
function refuseLost(files: readonly ImageFile[]): void {
  for (const { hasLost, path } of files) if (hasLost) throw new SystemError("write", EIO, path);
}

function partAt(parts: readonly WritablePart[], index: number): WritablePart {
  const part = parts[index];
  if (part === undefined) throw new Error("a disk without parts");
  return part;
}

/** Size of all units; undefined if no part has any. What a unit has behind its part would be the next one's. */
function commonUnit(parts: readonly WritablePart[], starts: PartStarts): number | undefined {
  const sizes = new Set(parts.flatMap(({ writing }) => writing.tables?.unitBytes ?? []));
  if (sizes.size > 1) throw new RangeError("extents with grains of different sizes");
  const [unitBytes] = sizes;
  const isTorn = unitBytes !== undefined &&
    parts.some(({ sizeBytes, writing }, index) =>
      writing.tables !== undefined &&
      (starts.at(index) % unitBytes !== 0 ||
        index < parts.length - 1 && sizeBytes % unitBytes !== 0)
    );
  if (isTorn) throw new RangeError("extents that begin or end within a grain");
  return unitBytes;
}

/** The tables of all parts that have some, as one. */
class PartsTables implements Tables {
  readonly unitBytes: number;
  readonly #parts: readonly WritablePart[];
  readonly #starts: PartStarts;
  readonly #files: readonly ImageFile[];
  readonly #all: readonly Tables[];

  constructor(
    parts: readonly WritablePart[],
    starts: PartStarts,
    { unitBytes, files }: { readonly unitBytes: number; readonly files: readonly ImageFile[] },
  ) {
    this.#parts = parts;
    this.#files = files;
    this.#starts = starts;
    this.unitBytes = unitBytes;
    this.#all = parts.flatMap(({ writing }) => writing.tables ?? []);
  }

  reserve(placement: Placement): boolean {
    const { guestOffset } = placement;
    const index = this.#starts.find(guestOffset);
    placement.guestOffset = guestOffset - this.#starts.at(index);
    const isReserved = this.#tablesAt(index).reserve(placement);
    placement.guestOffset = guestOffset;
    return isReserved;
  }

  settle(placement: Placement, isWritten: boolean): void {
    const { guestOffset } = placement;
    const index = this.#starts.find(guestOffset);
    placement.guestOffset = guestOffset - this.#starts.at(index);
    this.#tablesAt(index).settle(placement, isWritten);
    placement.guestOffset = guestOffset;
  }

  #tablesAt(index: number): Tables {
    const { tables } = partAt(this.#parts, index).writing;
    if (tables === undefined) throw new Error("a place of its own without tables");
    return tables;
  }

  clear(guestOffset: number, lengthBytes: number, to: Cleared, placement: Placement): number {
    refuseLost(this.#files);
    const index = this.#starts.find(guestOffset);
    const inPart = guestOffset - this.#starts.at(index);
    const { sizeBytes, writing } = partAt(this.#parts, index);
    const most = Math.min(lengthBytes, sizeBytes - inPart);
    if (writing.tables !== undefined) return writing.tables.clear(inPart, most, to, placement);
    return clearPlain(writing, { guestOffset: inPart, lengthBytes: most }, to, placement);
  }

  isRecorded(guestOffset: number, lengthBytes: number): boolean {
    const end = guestOffset + lengthBytes;
    for (let at = guestOffset; at < end;) {
      const index = this.#starts.find(at);
      const start = this.#starts.at(index);
      const { sizeBytes, writing: { tables } } = partAt(this.#parts, index);
      const count = Math.min(end, start + sizeBytes) - at;
      if (tables?.isRecorded(at - start, count) === false) return false;
      at += count;
    }
    return true;
  }

  get hasUpdates(): boolean {
    return this.#all.some(hasUpdates);
  }

  get wantsFlush(): boolean {
    return this.#all.some(wantsFlush);
  }

  get wantsFlushSoon(): boolean {
    return this.#all.some(wantsFlushSoon);
  }

  takeUpdates(updates: Updates): void {
    for (const tables of this.#all) tables.takeUpdates(updates);
  }

  reached(level: Level): void {
    for (const tables of this.#all) tables.reached(level);
  }

  updated(isDurable: boolean): void {
    for (const tables of this.#all) tables.updated(isDurable);
  }

  freeSome(): boolean {
    let hasMore = false;
    for (const tables of this.#all) hasMore = tables.freeSome() || hasMore;
    return hasMore;
  }
}

// Asked with each request, so that they are made once.
const hasUpdates = (tables: Tables): boolean => tables.hasUpdates;
const wantsFlush = (tables: Tables): boolean => tables.wantsFlush;
const wantsFlushSoon = (tables: Tables): boolean => tables.wantsFlushSoon;
