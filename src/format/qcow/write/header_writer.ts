/**
 * Changing single fields of the header, each durable at once. Nothing else of it is ever written: what
 * is not known here stays as it is.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import type { Fields, Header } from "../header_types.ts";
import {
  AUTOCLEAR_BITMAPS,
  AUTOCLEAR_RAW_EXTERNAL_DATA,
  HEADER,
  HEADER_V3,
  Incompatible,
} from "../layout.ts";

const FIELD_BYTES = 8;

export class HeaderWriter {
  readonly #file: ImageFile;
  readonly #header: Header;
  readonly #field = new IoBuffer(FIELD_BYTES);

  constructor(file: ImageFile, header: Header) {
    this.#file = file;
    this.#header = header;
  }

  /**
   * Clears the bits of features that are not kept up by who writes here (specification, "autoclear_features").
   *
   * @throws {SystemError} if that cannot be written
   */
  clearAutoclear(): void {
    const { autoclear } = this.#header;
    const kept = autoclear & AUTOCLEAR_RAW_EXTERNAL_DATA;
    if (kept !== autoclear) this.#write("autoclear_features", kept);
  }

  /**
   * As {@link clearAutoclear}, by who changes nothing that a guest sees: bitmaps stay valid.
   *
   * @throws {SystemError} if that cannot be written
   */
  clearUnknownAutoclear(): void {
    const { autoclear } = this.#header;
    const kept = autoclear & (AUTOCLEAR_RAW_EXTERNAL_DATA | AUTOCLEAR_BITMAPS);
    if (kept !== autoclear) this.#write("autoclear_features", kept);
  }

  /**
   * Says that bitmaps are valid, as they were.
   *
   * @throws {SystemError} if that cannot be written
   */
  validateBitmaps(): void {
    const kept = AUTOCLEAR_RAW_EXTERNAL_DATA | AUTOCLEAR_BITMAPS;
    this.#write("autoclear_features", this.#header.autoclear & kept);
  }

  /**
   * Says that nothing is wrong any more.
   *
   * @throws {SystemError} if that cannot be written
   */
  clearFaults(): void {
    const { incompatible } = this.#header;
    const rest = incompatible & ~(Incompatible.corrupt | Incompatible.dirty);
    if (rest !== incompatible) this.#write("incompatible_features", rest);
  }

  /**
   * Says that damage has been found; version 2 cannot.
   *
   * @throws {SystemError} if that cannot be written
   */
  markCorrupt(): void {
    const { version, incompatible } = this.#header;
    if (version < 3) return;
    this.#write("incompatible_features", incompatible | Incompatible.corrupt);
  }

  /**
   * Sets fields that version 2 has, too, in one write: they lie in one sector, so that no crash leaves
   * some of them set.
   *
   * @throws {SystemError} if that cannot be written: nobody knows then what the header says
   */
  set(fields: Partial<Fields>): void {
    const { offsets, sizeBytes } = HEADER;
    const header = new IoBuffer(sizeBytes);
    this.#file.read(header, 0, 0, sizeBytes);
    HEADER.write(header.view, 0, fields);
    const starts = Object.keys(fields).map((name) => offsets[name as keyof Fields]);
    const start = Math.min(...starts);
    // Where the next field begins.
    const end = Object.values(offsets).find((offset) => offset > Math.max(...starts)) ?? sizeBytes;
    try {
      this.#file.write(header, start, start, end - start);
    } catch (error) {
      this.#file.syncFailed();
      throw error;
    }
    this.#file.sync();
  }

  #write(name: "autoclear_features" | "incompatible_features", value: bigint): void {
    this.#field.view.setBigUint64(0, value);
    const at = HEADER.sizeBytes + HEADER_V3.offsets[name];
    this.#file.write(this.#field, 0, at, FIELD_BYTES);
    this.#file.sync();
  }
}
