/**
 * The fields of the header that change when the image is written to.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import type { Header } from "../header.ts";
import { FLAG_EMPTY, HEADER, IN_USE } from "../layout.ts";

const FIELD_BYTES = 4;
/** `inuse` of an image that was closed; Parallels has words of its own for that, which stay. */
const CLOSED = 0;

export class HeaderFields {
  readonly #file: ImageFile;
  readonly #header: Header;

  constructor(file: ImageFile, header: Header) {
    this.#file = file;
    this.#header = header;
  }

  /**
   * Says, durably, that the image is in use, and not empty.
   *
   * @throws {SystemError} if that cannot be written
   */
  markOpen(): void {
    const { flags } = this.#header;
    if ((flags & FLAG_EMPTY) !== 0) this.#write("flags", (flags & ~FLAG_EMPTY) >>> 0);
    this.#write("inuse", IN_USE);
    this.#file.takeUnsynced();
    this.#file.sync();
  }

  /** Says that the image was closed in order; throws {@link SystemError} if that cannot be written. */
  markClosed(): void {
    const { inUse } = this.#header;
    this.#write("inuse", inUse === IN_USE ? CLOSED : inUse);
  }

  #write(field: "flags" | "inuse", value: number): void {
    const bytes = new IoBuffer(FIELD_BYTES);
    bytes.view.setUint32(0, value, true);
    this.#file.write(bytes, 0, HEADER.offsets[field], FIELD_BYTES);
  }
}
