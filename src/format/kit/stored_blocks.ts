/**
 * Blocks that are stored whole, each at a place of its own.
 *
 * @module
 */
import { ImageFormatError } from "../../image/errors.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { ImageFile } from "../../storage/image_file.ts";

/** What is known of them; absent for runs that never leave a block. */
interface StoredShape {
  /** What a block has of the file, from its offset on. */
  readonly blockBytes?: number;
  /** So long the file is to be: what it has not of that reads as zeros. */
  readonly leastBytes?: number | undefined;
}

/** The file that has them. */
export class StoredBlocks {
  readonly #file: ImageFile;
  readonly #format: string;
  readonly #blockBytes: number;
  readonly #leastBytes: number;

  /** @param format name of the driver, for errors */
  constructor(file: ImageFile, format: string, shape: StoredShape = {}) {
    const { blockBytes = Infinity, leastBytes = 0 } = shape;
    this.#file = file;
    this.#format = format;
    this.#blockBytes = blockBytes;
    this.#leastBytes = leastBytes;
  }

  /**
   * Bytes at `hostOffset`, of the block at `blockOffset` and those right behind it. What a file that was cut off has of a block is
   * shown, with zeros for the rest; of a block that is not in it, nothing is known.
   *
   * @throws {ImageFormatError} if the block is not in the file
   */
  setStored(blockOffset: number, hostOffset: number, lengthBytes: number, mapping: Mapping): void {
    this.requireInFile(blockOffset);
    const inFile = this.#file.sizeBytes - hostOffset;
    if (inFile <= 0) {
      // Only of this block: the next one is not in the file at all.
      return mapping.setZero(Math.min(lengthBytes, blockOffset + this.#blockBytes - hostOffset));
    }
    mapping.setData(this.#file, hostOffset, Math.min(lengthBytes, inFile));
  }

  /** @throws {ImageFormatError} if nothing at `blockOffset` is in the file */
  requireInFile(blockOffset: number): void {
    const isInFile = blockOffset < this.#file.sizeBytes || blockOffset < this.#leastBytes;
    if (!isInFile) this.#refuseMissing(blockOffset);
  }

  /** Asked anew: others may have made the file longer. */
  #refuseMissing(blockOffset: number): void {
    this.#file.refreshSize();
    if (blockOffset < this.#file.sizeBytes) return;
    const message = `the block at 0x${blockOffset.toString(16)} is not in the file`;
    throw new ImageFormatError(this.#format, this.#file.path, message, blockOffset);
  }
}
