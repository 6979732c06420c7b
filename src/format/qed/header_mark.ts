/**
 * What the header says of whether an image was closed in order.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import type { OpenMark } from "../uncounted/writing.ts";
import type { Header } from "./header.ts";
import { Feature, HEADER } from "./layout.ts";

const FIELD_BYTES = 8;

export class HeaderMark implements OpenMark {
  readonly #file: ImageFile;
  readonly #header: Header;

  constructor(file: ImageFile, header: Header) {
    this.#file = file;
    this.#header = header;
  }

  /** Bits that say of the image what no longer holds when it is changed are cleared: none of them is known here. */
  set(): void {
    const { features, autoclearFeatures } = this.#header;
    if (autoclearFeatures !== 0n) this.#write("autoclear_features", 0n);
    this.#write("features", features | Feature.needCheck);
  }

  clear(): void {
    this.#write("features", this.#header.features & ~Feature.needCheck);
  }

  #write(field: "features" | "autoclear_features", value: bigint): void {
    const bytes = new IoBuffer(FIELD_BYTES);
    bytes.view.setBigUint64(0, value, true);
    this.#file.write(bytes, 0, HEADER.offsets[field], FIELD_BYTES);
  }
}
