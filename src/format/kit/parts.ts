/**
 * Disks that consist of several parts, one behind the other: files, zeros, or images of a part each.
 *
 *     0            starts[1]      starts[2]          sizeBytes
 *     +------------+--------------+-- ... --+--------+
 *     | part 0     | part 1       |         | part n |
 *     +------------+--------------+-- ... --+--------+
 *
 * Each part counts from its own start on.
 *
 * @module
 */
import { Extent, type MappedDisk, type Mapping } from "../../image/mapping.ts";
import type { ImageFile } from "../../storage/image_file.ts";

/** Where the parts begin; finds the one that an offset lies in without allocating anything. */
export class PartStarts {
  /** One more than there are parts: the last one is the end of all. */
  readonly #starts: Float64Array;
  #last = 0;

  /** @param sizes of the parts, in bytes */
  constructor(sizes: readonly number[]) {
    this.#starts = new Float64Array(sizes.length + 1);
    for (const [index, size] of sizes.entries()) this.#starts[index + 1] = this.at(index) + size;
  }

  get endBytes(): number {
    return this.at(this.#starts.length - 1);
  }

  /** Where part number `index` begins. */
  at(index: number): number {
    return this.#starts[index] ?? 0;
  }

  /** Number of the part that has the byte at `offset`, which lies before the end. */
  find(offset: number): number {
    if (this.#has(this.#last, offset)) return this.#last;
    let low = 0;
    let high = this.#starts.length - 2;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.at(middle) <= offset) low = middle;
      else high = middle - 1;
    }
    this.#last = low;
    return low;
  }

  #has(index: number, offset: number): boolean {
    return this.at(index) <= offset && offset < this.at(index + 1);
  }
}

/** All parts as one disk. */
export class Parts implements MappedDisk {
  readonly sizeBytes: number;
  /** What the holes of all files mean in which they mean anything. */
  readonly fileHoles: MappedDisk["fileHoles"];
  readonly #starts: PartStarts;
  readonly #parts: readonly MappedDisk[];

  constructor(parts: readonly MappedDisk[]) {
    this.#parts = parts;
    this.fileHoles = parts.find(({ fileHoles }) => fileHoles !== undefined)?.fileHoles;
    this.#starts = new PartStarts(parts.map(({ sizeBytes }) => sizeBytes));
    this.sizeBytes = this.#starts.endBytes;
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const index = this.#starts.find(guestOffset);
    const part = this.#parts[index];
    if (part === undefined) throw new Error("a disk without parts");
    const start = this.#starts.at(index);
    const inPart = guestOffset - start;
    part.map(inPart, Math.min(lengthBytes, part.sizeBytes - inPart), mapping);
    if (mapping.kind === Extent.Packed) mapping.pieceStart += start;
  }
}

/** A part that is a range of a file. */
export class FilePart implements MappedDisk {
  readonly fileHoles = "zeros";
  readonly sizeBytes: number;
  readonly #file: ImageFile;
  readonly #hostOffset: number;

  constructor(file: ImageFile, hostOffset: number, sizeBytes: number) {
    this.#file = file;
    this.#hostOffset = hostOffset;
    this.sizeBytes = sizeBytes;
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    mapping.setData(this.#file, this.#hostOffset + guestOffset, lengthBytes);
  }
}

/** A part that is stored nowhere, and reads as zeros. */
export class ZeroPart implements MappedDisk {
  readonly sizeBytes: number;

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
  }

  map(_guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    mapping.setZero(lengthBytes);
  }
}
