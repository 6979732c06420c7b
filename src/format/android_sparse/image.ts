/**
 * An open image: its chunks, one behind the other.
 *
 * @module
 */
import { CompressionMethod, type Packing } from "../../image/decoding.ts";
import type { Image } from "../../image/driver.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { ChunkKind, type Chunks } from "./chunks.ts";
import type { Header } from "./header.ts";
import { WORD_BYTES } from "./layout.ts";

export class AndroidSparseImage implements Image {
  readonly sizeBytes: number;
  readonly packing: Packing;
  readonly #file: ImageFile;
  readonly #chunks: Chunks;
  readonly #blockBytes: number;

  constructor(file: ImageFile, { sizeBytes, blockBytes }: Header, chunks: Chunks) {
    this.sizeBytes = sizeBytes;
    this.packing = { maxPieceBytes: blockBytes, methods: [CompressionMethod.Fill] };
    this.#file = file;
    this.#chunks = chunks;
    this.#blockBytes = blockBytes;
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const { starts, kinds, hostOffsets } = this.#chunks;
    const chunk = starts.find(guestOffset);
    const hostOffset = hostOffsets[chunk] ?? 0;
    const runBytes = Math.min(lengthBytes, starts.at(chunk + 1) - guestOffset);
    switch (kinds[chunk]) {
      case ChunkKind.Stored:
        return mapping.setData(this.#file, hostOffset + guestOffset - starts.at(chunk), runBytes);
      case ChunkKind.Pattern:
        return this.#setPattern(hostOffset, guestOffset, runBytes, mapping);
      case ChunkKind.Zero:
        return mapping.setZero(runBytes);
      default:
        return mapping.setBacking(undefined, guestOffset, runBytes);
    }
  }

  /** Each block is a piece of its own. */
  #setPattern(
    hostOffset: number,
    guestOffset: number,
    lengthBytes: number,
    mapping: Mapping,
  ): void {
    const inBlock = guestOffset % this.#blockBytes;
    mapping.method = CompressionMethod.Fill;
    mapping.setPacked(this.#file, hostOffset, WORD_BYTES);
    const runBytes = Math.min(lengthBytes, this.#blockBytes - inBlock);
    mapping.setPiece(guestOffset - inBlock, this.#blockBytes, runBytes);
  }

  [Symbol.dispose](): void {}
}
