/**
 * The bytes of a file: those that are certain, and those that they are for a while, as steps make them.
 * To go from one to the other costs what differs, not what the file has.
 *
 * @module
 */
import type { Step } from "./recording.ts";

const SECTOR_BYTES = 512;
/** What is compared, copied and written as one. */
export const BLOCK_BYTES = 4096;

/** Numbers of blocks. */
class Blocks {
  #isIn = new Uint8Array(0);
  #numbers: number[] = [];

  /** Those of a range of bytes. */
  add(start: number, end: number): void {
    if (end <= start) return;
    const last = Math.floor((end - 1) / BLOCK_BYTES);
    if (last >= this.#isIn.length) this.#reserve(2 * last + 1);
    for (let block = Math.floor(start / BLOCK_BYTES); block <= last; block++) {
      if (this.#isIn[block] === 1) continue;
      this.#isIn[block] = 1;
      this.#numbers.push(block);
    }
  }

  #reserve(blocks: number): void {
    const larger = new Uint8Array(blocks);
    larger.set(this.#isIn);
    this.#isIn = larger;
  }

  /** All of them; there are none then. */
  take(): readonly number[] {
    const taken = this.#numbers;
    for (const block of taken) this.#isIn[block] = 0;
    this.#numbers = [];
    return taken;
  }
}

export class FileContent {
  #certain = new Uint8Array(0);
  #certainBytes = 0;
  #bytes = new Uint8Array(0);
  #sizeBytes = 0;
  /** What is other than is certain. */
  readonly #uncertain = new Blocks();
  readonly #unseen = new Blocks();

  constructor(original: Uint8Array) {
    this.#write(0, original);
    this.settle();
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** What it has now: valid until it is changed. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#sizeBytes);
  }

  /** A block, with zeros behind the end of the file. */
  block(number: number): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(number * BLOCK_BYTES, (number + 1) * BLOCK_BYTES);
  }

  /** Which blocks may be others since this was asked last, in their order. */
  takeUnseen(): readonly number[] {
    return this.#unseen.take().toSorted((one, other) => one - other);
  }

  /** @param sectors only the first of them, if it is a write */
  apply(step: Step, sectors = Infinity): void {
    switch (step.kind) {
      case "write":
        return this.#write(step.offset, step.bytes.subarray(0, sectors * SECTOR_BYTES));
      case "punch":
        return this.#clear(step.offset, Math.min(step.offset + step.length, this.#sizeBytes));
      case "size":
        this.#clear(step.sizeBytes, this.#sizeBytes);
        this.#reserve(step.sizeBytes);
        this.#sizeBytes = step.sizeBytes;
    }
  }

  /** What it has now is certain. */
  settle(): void {
    for (const block of this.#uncertain.take()) {
      this.#certain.set(this.block(block), block * BLOCK_BYTES);
    }
    this.#certainBytes = this.#sizeBytes;
  }

  /** Has what is certain again. */
  reset(): void {
    for (const block of this.#uncertain.take()) {
      const start = block * BLOCK_BYTES;
      this.#bytes.set(this.#certain.subarray(start, start + BLOCK_BYTES), start);
      this.#unseen.add(start, start + BLOCK_BYTES);
    }
    this.#sizeBytes = this.#certainBytes;
  }

  #write(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    this.#reserve(end);
    this.#sizeBytes = Math.max(this.#sizeBytes, end);
    this.#bytes.set(bytes, offset);
    this.#changed(offset, end);
  }

  #clear(start: number, end: number): void {
    if (end <= start) return;
    this.#bytes.fill(0, start, end);
    this.#changed(start, end);
  }

  #changed(start: number, end: number): void {
    this.#uncertain.add(start, end);
    this.#unseen.add(start, end);
  }

  #reserve(sizeBytes: number): void {
    if (sizeBytes <= this.#bytes.length) return;
    const room = Math.ceil(1.25 * sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
    this.#bytes = enlarged(this.#bytes, room);
    this.#certain = enlarged(this.#certain, room);
  }
}

function enlarged(bytes: Uint8Array, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(sizeBytes);
  larger.set(bytes);
  return larger;
}
