/**
 * An open image: its block allocation table, and the bits of its sectors.
 *
 * @module
 */
import type { Image } from "../../image/driver.ts";
import { VHDX } from "../../image/formats.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { Writing } from "../../image/writing.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { StoredBlocks } from "../kit/stored_blocks.ts";
import { Bat } from "./bat.ts";
import { ChunkBits } from "./chunk_bits.ts";
import { damaged } from "./errors.ts";
import type { Header } from "./header.ts";
import { BlockState } from "./layout.ts";
import type { Replay } from "./log/replay.ts";
import { MetadataPages } from "./metadata_pages.ts";
import type { Regions } from "./regions.ts";
import { pageCount, type Shape } from "./shape.ts";
import { VhdxWriting } from "./write/writing.ts";

/** What an image consists of. */
export interface ImageParts {
  readonly file: ImageFile;
  /** As it is once its log has been replayed. */
  readonly metadataFile: ImageFile;
  /** What the log has, unless that is empty. */
  readonly replay: Replay | undefined;
  readonly sizeBytes: number;
  readonly shape: Shape;
  readonly header: Header;
  readonly regions: Regions;
  readonly readOnly: boolean;
  readonly isFixed: boolean;
  /** The image below. */
  readonly backing: Image | undefined;
  readonly cacheBytes: number;
}

export class VhdxImage implements Image {
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly fileHoles: "zeros" | undefined;
  readonly writing: Writing | undefined;
  readonly #path: string;
  readonly #shape: Shape;
  readonly #backing: Image | undefined;
  readonly #replay: Replay | undefined;
  readonly #stored: StoredBlocks;
  readonly #pages: MetadataPages;
  readonly #bat: Bat;
  readonly #bits: ChunkBits;

  /** @throws as {@link VhdxWriting} */
  constructor(parts: ImageParts) {
    const { file, metadataFile, replay, shape, cacheBytes } = parts;
    this.sizeBytes = parts.sizeBytes;
    this.sectorBytes = shape.sectorBytes;
    this.fileHoles = parts.isFixed ? "zeros" : undefined;
    this.#path = file.path;
    this.#shape = shape;
    this.#backing = parts.backing;
    this.#replay = replay;
    this.#stored = new StoredBlocks(file, VHDX.name, {
      blockBytes: shape.blockBytes,
      leastBytes: replay?.sizeBytes,
    });
    const pages = new MetadataPages(metadataFile, { pages: pageCount(shape), cacheBytes });
    const bat = new Bat(pages, shape);
    this.#pages = pages;
    this.#bat = bat;
    const bits = new ChunkBits({ pages, bat, shape, stored: this.#stored });
    this.#bits = bits;
    const { header, regions } = parts;
    if (parts.readOnly) return;
    this.writing = new VhdxWriting({ file, header, regions, shape, pages, bat, bits });
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const { blockBytes, hasParent } = this.#shape;
    const block = Math.floor(guestOffset / blockBytes);
    const position = this.#bat.find(block, mapping);
    if (position < 0) return;
    const runBytes = this.#bat.runBytes(position, guestOffset, lengthBytes);
    switch (this.#bat.state(position)) {
      case BlockState.notPresent:
        return mapping.setBacking(this.#backing, guestOffset, runBytes);
      case BlockState.undefined:
      case BlockState.zero:
      case BlockState.unmapped:
      case BlockState.unmappedBefore:
        return mapping.setZero(runBytes);
      case BlockState.fullyPresent:
        return this.#mapStored(this.#bat.hostOffset(position), guestOffset, runBytes, mapping);
      case BlockState.partiallyPresent:
        if (hasParent) return this.#mapSectors(position, guestOffset, runBytes, mapping);
    }
    throw damaged(this.#path, `the state of block ${block} is not possible`);
  }

  /** Bytes of a block that begins at `blockOffset`. */
  #mapStored(
    blockOffset: number,
    guestOffset: number,
    lengthBytes: number,
    mapping: Mapping,
  ): void {
    const hostOffset = blockOffset + guestOffset % this.#shape.blockBytes;
    const inLog = this.#replay?.coveredBytes(hostOffset, lengthBytes) ?? -lengthBytes;
    if (inLog > 0 && this.#replay !== undefined) {
      return mapping.setData(this.#replay.file, hostOffset, inLog);
    }
    this.#stored.setStored(blockOffset, hostOffset, -inLog, mapping);
  }

  /** Sectors of one block, as far as they all are in this image, or in the one below. */
  #mapSectors(
    position: number,
    guestOffset: number,
    lengthBytes: number,
    mapping: Mapping,
  ): void {
    const blockOffset = this.#bat.hostOffset(position);
    const count = this.#bits.find(guestOffset, lengthBytes, mapping);
    if (count === 0) return;
    if (count < 0) return mapping.setBacking(this.#backing, guestOffset, -count);
    this.#mapStored(blockOffset, guestOffset, count, mapping);
  }

  dropCaches(): void {
    this.#pages.clear();
  }

  [Symbol.dispose](): void {
    this.#replay?.[Symbol.dispose]();
  }
}
