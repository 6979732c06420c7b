/**
 * Writes the metadata of a view: a file system whose only file is a disk, in extents.
 *
 * @module
 */
import { EXTENT_BLOCK_BITS, type ExtentPlan } from "./extent_plan.ts";
import { FileSystem, roundUp } from "./file_system.ts";
import {
  ADVISE_EXTENTS,
  ADVISE_RECORD_SHIFT,
  EXTENT,
  MAP_HEADER,
  SHORT_EXTENT_BYTES,
} from "./layout.ts";
import { ChunkSource } from "./chunk_walker.ts";
import { SERVED_LEAD_BYTES } from "./served_windows.ts";

/** What the metadata are made of. */
export interface ExtentParts {
  readonly plan: ExtentPlan;
  /** Path of the file from the root, without a leading slash. */
  readonly path: string;
  /** Sizes of the devices of the plan's files, in bytes, and of the server's, if it is needed. */
  readonly deviceSizes: readonly number[];
  /** Which of the devices is the server's. */
  readonly serverDevice: number | undefined;
}

/**
 * The metadata, whole but for what is copied.
 *
 * @throws {RangeError} if a name of the path is too long
 */
export class ExtentMetadata {
  readonly #fileSystem: FileSystem;
  readonly #plan: ExtentPlan;
  /** Where each device begins in the address space of all, in bytes. */
  readonly #addresses: readonly number[];
  readonly #serverDevice: number;

  constructor({ plan, path, deviceSizes, serverDevice = 0 }: ExtentParts) {
    const { sizeBytes, recordBytes, length, copiedBytes } = plan;
    this.#plan = plan;
    this.#serverDevice = serverDevice;
    this.#fileSystem = new FileSystem({
      path,
      blockBits: EXTENT_BLOCK_BITS,
      deviceSizes,
      sizeBytes,
      layout: "extents",
      algorithms: plan.algorithms,
      inodeUnion: 0,
      // The extents begin at a multiple of their records' size, behind the header.
      contentBytes: MAP_HEADER.sizeBytes + (length + 1) * recordBytes,
      copiedBytes,
    });
    this.#addresses = this.#fileSystem.deviceAddresses
      .map((block) => block * 2 ** EXTENT_BLOCK_BITS);
    this.#writeHeader();
    this.#writeExtents();
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#fileSystem.bytes;
  }

  /** Where in {@link bytes} what is copied begins. */
  get copiesPosition(): number {
    return this.#fileSystem.copiesPosition;
  }

  #writeHeader(): void {
    const { contentPosition, view } = this.#fileSystem;
    const sizeBits = Math.log2(this.#plan.recordBytes / 4);
    MAP_HEADER.write(view, contentPosition, {
      h_extents_lo: this.#plan.length,
      h_advise: ADVISE_EXTENTS | sizeBits << ADVISE_RECORD_SHIFT,
    });
  }

  #writeExtents(): void {
    const { recordBytes, length } = this.#plan;
    const { contentPosition } = this.#fileSystem;
    const first = roundUp(contentPosition + MAP_HEADER.sizeBytes, recordBytes);
    for (let extent = 0; extent < length; extent++) {
      this.#writeExtent(first + extent * recordBytes, extent);
    }
  }

  #writeExtent(at: number, extent: number): void {
    const { view } = this.#fileSystem;
    const { offsets } = EXTENT;
    const form = this.#plan.form(extent);
    const address = form === 0 ? 0 : this.#addressOf(extent);
    const start = this.#plan.start(extent);
    view.setUint32(at + offsets.plen, form, true);
    view.setUint32(at + offsets.pstart_lo, address % 2 ** 32, true);
    view.setUint32(at + offsets.pstart_hi, address / 2 ** 32, true);
    view.setUint32(at + offsets.lstart_lo, start % 2 ** 32, true);
    if (this.#plan.recordBytes === SHORT_EXTENT_BYTES) return;
    view.setUint32(at + offsets.lstart_hi, start / 2 ** 32, true);
  }

  #addressOf(extent: number): number {
    const source = this.#plan.source(extent);
    const offset = this.#plan.offset(extent);
    if (source === ChunkSource.Copy) return this.copiesPosition + offset;
    if (source === ChunkSource.Server) {
      return (this.#addresses[this.#serverDevice] ?? 0) + SERVED_LEAD_BYTES + offset;
    }
    return (this.#addresses[source + 1] ?? 0) + offset;
  }
}
