/**
 * An open DMG image.
 *
 * @module
 */
import type { Packing } from "../../image/decoding.ts";
import type { Image } from "../../image/driver.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { type Chunks, RAW_CHUNK } from "./chunks.ts";

export class DmgImage implements Image {
  readonly sizeBytes: number;
  readonly packing: Packing;
  readonly #file: ImageFile;
  readonly #chunks: Chunks;

  constructor(file: ImageFile, chunks: Chunks, sizeBytes: number) {
    this.sizeBytes = sizeBytes;
    this.packing = chunks.packing;
    this.#file = file;
    this.#chunks = chunks;
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const chunk = this.#chunks.find(guestOffset);
    const start = this.#chunks.start(chunk);
    if (guestOffset < start) {
      return mapping.setZero(Math.min(lengthBytes, start - guestOffset));
    }
    const end = this.#chunks.end(chunk);
    const runBytes = Math.min(lengthBytes, end - guestOffset);
    const method = this.#chunks.method(chunk);
    const hostOffset = this.#chunks.hostOffset(chunk);
    const hostBytes = this.#chunks.hostBytes(chunk);
    if (method !== RAW_CHUNK) {
      mapping.setPacked(this.#file, hostOffset, hostBytes);
      mapping.method = method;
      return mapping.setPiece(start, end - start, runBytes);
    }
    // What is stored of one can be less than it has.
    const inChunk = guestOffset - start;
    if (inChunk >= hostBytes) return mapping.setZero(runBytes);
    mapping.setData(this.#file, hostOffset + inChunk, Math.min(runBytes, hostBytes - inChunk));
  }

  [Symbol.dispose](): void {}
}
