/**
 * How large the disk of an open image is: one record for all that go by it.
 *
 * @module
 */

export class DiskSize {
  #bytes: number;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  set(bytes: number): void {
    this.#bytes = bytes;
  }
}
