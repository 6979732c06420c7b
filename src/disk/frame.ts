/**
 * How far a request has come in one image of the chain.
 *
 * @module
 */
import { type MappedDisk, Mapping } from "../image/mapping.ts";
import type { Unpacker } from "./unpacker.ts";

/** One for each depth of the chain, used again and again, so that reading allocates nothing. */
export class Frame {
  readonly mapping = new Mapping();
  /** The image that is asked. */
  image: MappedDisk;
  /** What is left to read, in the image and where it goes to. */
  guestOffset = 0;
  position = 0;
  lengthBytes = 0;
  /** What decompresses the image's pieces, once it has some. */
  unpacker: Unpacker | undefined = undefined;

  constructor(image: MappedDisk) {
    this.image = image;
  }

  /** Asks the image for the next run. */
  map(): void {
    this.image.map(this.guestOffset, this.lengthBytes, this.mapping);
  }

  advance(lengthBytes: number): void {
    this.guestOffset += lengthBytes;
    this.position += lengthBytes;
    this.lengthBytes -= lengthBytes;
  }

  /** Whether something follows the run that has been mapped. */
  get goesOn(): boolean {
    return this.lengthBytes > this.mapping.lengthBytes;
  }
}
