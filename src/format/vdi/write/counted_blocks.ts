/**
 * Stored blocks that count before they are used: durably, and as holes of the file. What refers to one of
 * them needs no order any more, and may be written at once, where it shows zeros.
 *
 *     | used, or not any more | holes, counted durably | holes, to be counted |
 *                             ^ #blankFrom             ^ #durable             ^ #target, the count in the header
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { ENOSPC, SystemError } from "../../../sys/errno.ts";
import { ReserveSize } from "../../kit/reserve_size.ts";
import type { Header } from "../header.ts";
import type { BlockNumbers, NumberRun } from "./block_numbers.ts";

/** What is to be known of the image. */
export interface CountedParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly numbers: BlockNumbers;
  /** Whether something could be written at once that refers to such blocks. */
  readonly reserves: boolean;
}

export class CountedBlocks {
  readonly #parts: CountedParts;
  readonly #size: ReserveSize;
  /** Numbers from this one on have never been given out, and are holes. */
  #blankFrom = Infinity;
  #durable = 0;
  #target = 0;
  /** What the round that is under way makes durable. */
  #covered = 0;
  /** What the file had that is not cut off. */
  #keptBytes = 0;

  constructor(parts: CountedParts) {
    const { file, header: { blockBytes }, reserves } = parts;
    this.#parts = parts;
    this.#size = new ReserveSize(blockBytes);
    if (!reserves || !file.canGrow) this.#size.stop();
  }

  /** Forgets the numbers at the end that nobody uses, and counts others, of which holes are known. */
  begin(): void {
    const { file, numbers, header: { allocated } } = this.#parts;
    numbers.dropUnusedEnd();
    const end = this.endOf(numbers.count);
    if (file.canGrow && numbers.count < allocated && end < file.sizeBytes) file.setSize(end);
    this.#keptBytes = file.sizeBytes;
    const { dataOffset, extraBytes, blockBytes } = this.#parts.header;
    const inFile = Math.ceil((file.sizeBytes - dataOffset) / (extraBytes + blockBytes));
    this.#blankFrom = Math.max(numbers.count, inFile);
    this.fill();
  }

  /** Where so many stored blocks end. */
  endOf(count: number): number {
    const { dataOffset, extraBytes, blockBytes } = this.#parts.header;
    return dataOffset + count * (extraBytes + blockBytes);
  }

  /** How many blocks the header has to say there are. */
  get count(): number {
    return Math.max(this.#target, this.#parts.numbers.count);
  }

  /** Whether it would be good to count more of them soon. */
  get isLow(): boolean {
    return (this.#target - this.#parts.numbers.count) * 2 < this.#wanted;
  }

  get #wanted(): number {
    const { header: { blocks }, numbers } = this.#parts;
    return Math.min(this.#size.wanted, blocks - numbers.count);
  }

  /** Has the file have more of them, which {@link CountedBlocks.isDurable} makes ready. */
  fill(): void {
    const { file, numbers } = this.#parts;
    this.#size.adapt();
    const wanted = this.#wanted;
    const target = Math.max(this.#target, numbers.count + wanted);
    const isInFile = this.endOf(target) <= file.sizeBytes;
    try {
      if (wanted > 0 && !isInFile) file.setSize(this.endOf(target));
      // A number may have been given out for which there was no room.
      if (wanted > 0 || isInFile) this.#target = target;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      // Who needs a block will be told.
      this.#size.stop();
    }
    this.#covered = this.#target;
  }

  /** A sync has ended that began after {@link CountedBlocks.fill} and the count were written. */
  isDurable(): void {
    this.#durable = this.#covered;
  }

  /** Gives out up to `most` numbers; none if there will be better ones after the next flush. */
  take(most: number): NumberRun {
    const { numbers } = this.#parts;
    const isOut = numbers.next >= this.#durable;
    if (isOut && this.#size.wanted > 0) {
      this.#size.ranOut();
      return { first: numbers.next, count: 0 };
    }
    return numbers.take(most, this.#durable);
  }

  /**
   * Has the file have blocks that have been given out.
   *
   * @returns whether they are holes
   * @throws {SystemError} ENOSPC or EFBIG if the file cannot be longer
   */
  claim({ first, count }: NumberRun): boolean {
    const { file } = this.#parts;
    const end = this.endOf(first + count);
    if (end > file.sizeBytes) {
      if (!file.canGrow) throw new SystemError("write", ENOSPC, file.path);
      file.setSize(end);
    }
    const isBlank = first >= this.#blankFrom;
    if (isBlank) this.#blankFrom = first + count;
    return isBlank;
  }

  /** Whether blocks count, durably. */
  areReady({ first, count }: NumberRun): boolean {
    return first + count <= this.#durable;
  }

  /** Forgets what was counted in vain, and cuts it off. */
  conclude(): void {
    const { file, numbers } = this.#parts;
    numbers.dropUnusedEnd();
    this.#size.stop();
    this.#target = 0;
    const end = Math.max(this.endOf(numbers.count), this.#keptBytes);
    if (file.canGrow && end < file.sizeBytes) file.setSize(end);
  }
}
