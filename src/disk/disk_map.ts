/**
 * The whole of a disk as a sequence of runs.
 *
 * @module
 */
import { Run } from "./runs.ts";
import type { ImageAccess } from "./image_access.ts";

/** A run of the disk, as long as nothing about it changes; see {@link Run} for the words. */
export interface MapEntry {
  readonly start: number;
  readonly lengthBytes: number;
  readonly depth: number;
  readonly isZero: boolean;
  readonly isData: boolean;
  readonly isPresent: boolean;
  readonly isCompressed: boolean;
  /** The file it is stored in as it is, and where; undefined if that is not so. */
  readonly path: string | undefined;
  readonly hostOffset: number;
}

/** Iterates over the runs of a disk, joined as far as they can be. Waits for the disk below. */
export class DiskMap implements Iterable<MapEntry> {
  readonly #access: ImageAccess;
  readonly #run = new Run();

  /** @param access an image nobody else reads at the same time */
  constructor(access: ImageAccess) {
    this.#access = access;
  }

  /** @throws {ImageFormatError} at a place where the metadata are damaged */
  *[Symbol.iterator](): Iterator<MapEntry> {
    const { sizeBytes } = this.#access;
    let last: MapEntry | undefined;
    for (let start = 0; start < sizeBytes;) {
      this.#access.findRun(start, sizeBytes - start, this.#run);
      const next = this.#entry(start);
      start += next.lengthBytes;
      if (last !== undefined && !continues(last, next)) yield last;
      last = last !== undefined && continues(last, next) ? joined(last, next) : next;
    }
    if (last !== undefined) yield last;
  }

  #entry(start: number): MapEntry {
    const { lengthBytes, depth, isZero, isData, isPresent, isCompressed } = this.#run;
    const { file, hostOffset } = this.#run;
    const kind = { depth, isZero, isData, isPresent, isCompressed };
    return { start, lengthBytes, ...kind, path: file?.path, hostOffset };
  }
}

function continues(last: MapEntry, next: MapEntry): boolean {
  return last.depth === next.depth && last.isZero === next.isZero && last.isData === next.isData &&
    last.isPresent === next.isPresent && last.isCompressed === next.isCompressed &&
    last.path === next.path &&
    (last.path === undefined || last.hostOffset + last.lengthBytes === next.hostOffset);
}

function joined(last: MapEntry, next: MapEntry): MapEntry {
  return { ...last, lengthBytes: last.lengthBytes + next.lengthBytes };
}
