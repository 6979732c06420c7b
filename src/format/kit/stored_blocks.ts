/**
 * Blocks that are stored whole, each at a place of its own.
 *
 * @module
 */
import { ImageFormatError } from "../../image/errors.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { ImageFile } from "../../storage/image_file.ts";

/** The file that has them. */
export class StoredBlocks {
  readonly #file: ImageFile;
  readonly #format: string;
  readonly #leastBytes: number;

  /**
   * @param format name of the driver, for errors
   * @param leastBytes so long the file is to be: what it has not of that reads as zeros
   */
  constructor(file: ImageFile, format: string, leastBytes = 0) {
    this.#file = file;
    this.#format = format;
    this.#leastBytes = leastBytes;
  }

  /**
   * Bytes at `hostOffset`, of the block at `blockOffset`. What a file that was cut off has of a block is
   * shown, with zeros for the rest; of a block that is not in it, nothing is known.
   *
   * @throws {ImageFormatError} if the block is not in the file
   */
  setStored(blockOffset: number, hostOffset: number, lengthBytes: number, mapping: Mapping): void {
    this.requireInFile(blockOffset);
    const inFile = this.#file.sizeBytes - hostOffset;
    if (inFile <= 0) return mapping.setZero(lengthBytes);
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
