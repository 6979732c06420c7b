/**
 * The part of the contract that writable images have.
 *
 * @module
 */
import type { ImageFile } from "../storage/image_file.ts";

/** Where guest bytes may be written; one record is filled again and again. */
export class Placement {
  file: ImageFile | undefined = undefined;
  hostOffset = 0;
  /** Guest bytes the answer holds for, from the asked offset on; 1 up to the asked length. */
  lengthBytes = 0;

  /** The bytes go straight to a file, and nothing has to be recorded of it. */
  setDirect(file: ImageFile, hostOffset: number, lengthBytes: number): void {
    this.file = file;
    this.hostOffset = hostOffset;
    this.lengthBytes = lengthBytes;
  }
}

/** How many threads may change an image: with tables in memory, only the one that has them. */
export type Writers = "one" | "any";

/** What changes an image. A read-only one has none. */
export interface Writing {
  /** Files whose writes a flush has to make durable. */
  readonly files: readonly ImageFile[];
  readonly writers: Writers;
  /**
   * Says where the guest bytes from `guestOffset` on go to, for as many as one answer holds for, at
   * most `lengthBytes`. The range lies within the disk. Fills `placement`.
   */
  place(guestOffset: number, lengthBytes: number, placement: Placement): void;
  /**
   * Writes what says that the image was closed in order. Called once, when nobody changes it any more
   * and all that has been changed is durable; what it writes is made durable after it.
   *
   * @throws {SystemError} if that cannot be written
   */
  conclude?(): void;
}
