/**
 * Writing headers: never the one that counts, so that a crash leaves one that is valid.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { crc32c } from "../../kit/crc32c.ts";
import type { Header } from "../header.ts";
import { HEADER, HEADER_BYTES, HEADER_OFFSETS } from "../layout.ts";

/** What of a header changes. */
export type HeaderChange = Pick<
  Partial<Header["fields"]>,
  "file_write_guid" | "data_write_guid" | "log_guid"
>;

export class HeaderWriter {
  readonly #file: ImageFile;
  #fields: Header["fields"];
  /** Of the one that counts. */
  #index: number;

  constructor(file: ImageFile, { fields, index }: Header) {
    this.#file = file;
    this.#fields = fields;
    this.#index = index;
  }

  get fields(): Header["fields"] {
    return this.#fields;
  }

  /**
   * Changes the header, durably, with all that was written before. Both get to be like that, one after the
   * other: where one is damaged later, the other one says the same.
   *
   * @throws {SystemError} if that cannot be written
   */
  change(values: HeaderChange): void {
    for (let count = 0; count < HEADER_OFFSETS.length; count++) this.#writeOther(values);
  }

  #writeOther(values: HeaderChange): void {
    const sequence_number = this.#fields.sequence_number + 1n;
    const fields = { ...this.#fields, ...values, sequence_number };
    const index = 1 - this.#index;
    const buffer = new IoBuffer(HEADER_BYTES);
    HEADER.write(buffer.view, 0, fields);
    const { checksum } = HEADER.offsets;
    buffer.view.setUint32(checksum, crc32c(buffer.bytes, checksum), true);
    this.#file.takeUnsynced();
    this.#file.write(buffer, 0, HEADER_OFFSETS[index] ?? HEADER_OFFSETS[0], HEADER_BYTES);
    this.#file.sync();
    this.#fields = fields;
    this.#index = index;
  }
}
