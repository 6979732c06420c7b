/**
 * The parts of refcount blocks that are in memory.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { Level, type Updates } from "../../../image/updates.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { SECTOR_BYTES } from "../layout.ts";

/** A part of a refcount block. What is changed is marked by sectors, of which it has up to 8. */
export interface CountSlice {
  readonly buffer: IoBuffer;
  number: number;
  /** Sectors that have to be written, as bits. */
  dirty: number;
  /** Sectors that have been taken to be written, and may not be on the disk yet. */
  taken: number;
}

/** How many clean slices are kept. */
const KEPT_SLICES = 256;
/** How many are looked at to find one that need not be kept. */
const LOOKED_AT = 16;

/** All slices, found by their numbers: those that have to be written always stay. */
export class CountSlices {
  readonly sliceBytes: number;
  readonly #slices = new Map<number, CountSlice>();
  #last: CountSlice | undefined;
  #dirty: CountSlice[] = [];
  #taken: CountSlice[] = [];

  constructor(sliceBytes: number) {
    this.sliceBytes = sliceBytes;
  }

  find(number: number): CountSlice | undefined {
    if (this.#last?.number !== number) this.#last = this.#slices.get(number);
    return this.#last;
  }

  /** One that nobody else uses, of unknown content, to be given to {@link CountSlices.keep}. */
  take(): CountSlice {
    const { sliceBytes } = this;
    return this.#evicted() ??
      { buffer: new IoBuffer(sliceBytes), number: -1, dirty: 0, taken: 0 };
  }

  keep(number: number, slice: CountSlice): void {
    slice.number = number;
    this.#slices.set(number, slice);
    this.#last = slice;
  }

  #evicted(): CountSlice | undefined {
    if (this.#slices.size < KEPT_SLICES) return undefined;
    let looked = 0;
    for (const slice of this.#slices.values()) {
      if (isClean(slice)) {
        this.#forget(slice);
        return slice;
      }
      if (++looked === LOOKED_AT) break;
    }
    return undefined;
  }

  #forget(slice: CountSlice): void {
    this.#slices.delete(slice.number);
    if (this.#last === slice) this.#last = undefined;
    slice.number = -1;
  }

  /** Says that the byte at `position` of a slice has been changed. */
  markDirty(slice: CountSlice, position: number): void {
    if (slice.dirty === 0) this.#dirty.push(slice);
    slice.dirty |= 1 << Math.floor(position / SECTOR_BYTES);
  }

  get hasDirty(): boolean {
    return this.#dirty.length > 0;
  }

  /** @param offsetOf where a slice lies in the file, by its number */
  takeUpdates(updates: Updates, file: ImageFile, offsetOf: (slice: number) => number): void {
    for (const slice of this.#dirty) {
      const hostOffset = offsetOf(slice.number);
      for (let sector = 0; slice.dirty >>> sector !== 0; sector++) {
        if ((slice.dirty >>> sector & 1) === 0) continue;
        const start = sector * SECTOR_BYTES;
        const bytes = slice.buffer.bytes.subarray(start, start + SECTOR_BYTES);
        updates.add(Level.Counts, file, hostOffset + start, bytes);
      }
      slice.taken = slice.dirty;
      slice.dirty = 0;
    }
    this.#taken = this.#dirty;
    this.#dirty = [];
  }

  /** Says whether what was taken last is durable. */
  updated(isDurable: boolean): void {
    for (const slice of this.#taken) {
      if (!isDurable) {
        if (slice.dirty === 0) this.#dirty.push(slice);
        slice.dirty |= slice.taken;
      }
      slice.taken = 0;
    }
    this.#taken = [];
  }

  /** Forgets all that can be read again. */
  clear(): void {
    for (const slice of [...this.#slices.values()]) {
      if (isClean(slice)) this.#forget(slice);
    }
  }
}

function isClean({ dirty, taken }: CountSlice): boolean {
  return dirty === 0 && taken === 0;
}
