/**
 * Where new grains go: behind all that there is. What a crash leaves there that nothing refers to stays.
 *
 *     | header, tables | grains ... | given out | hole
 *                                               ^ #end
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { ENOSPC, SystemError } from "../../../sys/errno.ts";
import { SECTOR_BYTES } from "../layout.ts";

/** Entries can say no more. */
const MAX_BYTES: number = 2 ** 32 * SECTOR_BYTES;

export class GrainPlaces {
  readonly #file: ImageFile;
  readonly #grainBytes: number;
  readonly #phase: number;
  #end: number;

  /** @param phase of the grains that there are: where each begins, modulo the size of one */
  constructor(file: ImageFile, grainBytes: number, phase: number) {
    this.#file = file;
    this.#grainBytes = grainBytes;
    this.#phase = phase;
    this.#end = this.#behind(file.sizeBytes);
  }

  /** Where a grain may begin, not before `hostOffset`. */
  #behind(hostOffset: number): number {
    return Math.ceil((hostOffset - this.#phase) / this.#grainBytes) * this.#grainBytes +
      this.#phase;
  }

  /** What lies behind `hostOffset` nobody uses. */
  startBehind(hostOffset: number): void {
    this.#end = this.#behind(hostOffset);
  }

  /** Whether what is given out next has zeros. */
  get isBlank(): boolean {
    return this.#end >= this.#file.sizeBytes;
  }

  /**
   * Has the file be long enough for grains behind each other.
   *
   * @returns where the first one begins
   * @throws {SystemError} ENOSPC if there is no room
   */
  take(count: number): number {
    const start = this.#end;
    const end = start + count * this.#grainBytes;
    if (!this.#file.canGrow || end > MAX_BYTES) {
      throw new SystemError("write", ENOSPC, this.#file.path);
    }
    if (end > this.#file.sizeBytes) this.#file.setSize(end);
    this.#end = end;
    return start;
  }

  /** Takes grains back that nobody has come to use, but what came to be in them. */
  giveBack(start: number, count: number): void {
    if (start + count * this.#grainBytes === this.#end) this.#end = start;
  }

  /** Cuts off what was given out in vain. */
  cutOff(): void {
    if (this.#file.canGrow && this.#end < this.#file.sizeBytes) this.#file.setSize(this.#end);
  }
}
