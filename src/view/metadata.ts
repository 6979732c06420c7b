/**
 * Writes the metadata of a view: a file system whose only file is a disk, in chunks.
 *
 * @module
 */
import { FileSystem } from "./file_system.ts";
import { CHUNK_ENTRY, CHUNK_FORMAT_INDEXES } from "./layout.ts";
import { ChunkEntries } from "./chunk_entries.ts";
import { ChunkSource } from "./chunk_walker.ts";
import type { ViewPlan } from "./plan.ts";

/** What the metadata are made of. */
export interface ViewParts {
  readonly plan: ViewPlan;
  /** Path of the file from the root, without a leading slash. */
  readonly path: string;
  /** Sizes of the devices of the plan's files, in bytes, and of the server's, if it is needed. */
  readonly deviceSizes: readonly number[];
  /** Which of the devices is the first one of the server's. */
  readonly serverDevice: number | undefined;
}

/**
 * The metadata, whole but for the content of copied chunks.
 *
 * @throws {RangeError} if a name of the path is too long
 */
export class ViewMetadata {
  /**
   * Whether the page cache has to be kept from reading the file: of two devices' blocks, one after the
   * other in the file, the second would be taken from the first device where only the numbers of these
   * blocks go on (iomap_bio_read_folio_range(), fs/iomap/buffered-io.c, up to Linux 6.18 at least).
   */
  needsDirectIo = false;
  readonly #fileSystem: FileSystem;
  readonly #plan: ViewPlan;
  /** Where the last chunk so far ends. */
  #lastDevice = -1;
  #lastEndBlock = -1;
  readonly #chunkBlocks: number;

  constructor({ plan, path, deviceSizes, serverDevice = 0 }: ViewParts) {
    const { sizeBytes, blockBits, chunkBits } = plan;
    this.#plan = plan;
    this.#chunkBlocks = 2 ** (chunkBits - blockBits);
    this.#fileSystem = new FileSystem({
      path,
      blockBits,
      deviceSizes,
      sizeBytes,
      layout: "chunks",
      inodeUnion: chunkBits - blockBits | CHUNK_FORMAT_INDEXES,
      contentBytes: plan.chunks * CHUNK_ENTRY.size,
      copiedBytes: plan.copies.length * 2 ** chunkBits,
      ...(plan.copiesUnitBytes === undefined ? {} : { copiesUnitBytes: plan.copiesUnitBytes }),
    });
    this.#writeChunks(serverDevice);
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#fileSystem.bytes;
  }

  /** Where in {@link bytes} the content of copied chunk number `index` of the plan belongs. */
  copyPosition(index: number): number {
    return this.#fileSystem.copiesPosition + index * 2 ** this.#plan.chunkBits;
  }

  #writeChunks(serverDevice: number): void {
    const { contentPosition, view } = this.#fileSystem;
    const { chunks, chunkBits, blockBits, fileStarts } = this.#plan;
    this.bytes.fill(0xff, contentPosition, contentPosition + chunks * CHUNK_ENTRY.size);
    const entries = new ChunkEntries({ blockBits, chunkBits, fileStarts, serverDevice });
    let copied = 0;
    this.#plan.forEachChunk((chunk, source, hostOffset) => {
      const at = contentPosition + chunk * CHUNK_ENTRY.size;
      if (source === ChunkSource.Copy) entries.writeAt(view, at, 0, this.copyPosition(copied++));
      else entries.write(view, at, chunk, source, hostOffset);
      this.#compareWithLast(entries);
    });
  }

  /** Also beyond a hole: the kernel makes one request of what it reads ahead. */
  #compareWithLast({ device, block }: ChunkEntries): void {
    if (device !== this.#lastDevice && block === this.#lastEndBlock) this.needsDirectIo = true;
    this.#lastDevice = device;
    this.#lastEndBlock = block + this.#chunkBlocks;
  }
}
