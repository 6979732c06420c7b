/**
 * A view of a disk that is too large for all of its chunks to be listed: a server finds out where each
 * of them is when the kernel asks for it.
 *
 * @module
 */
import { CHUNK_ENTRY, CHUNK_FORMAT_INDEXES, MAX_BLOCK_BITS } from "./layout.ts";
import type { DemandLayout } from "./demand_layout.ts";
import { distinctStarts } from "./file_starts.ts";
import { FileSystem, roundUp } from "./file_system.ts";
import { fixedFiles, type FormedMetadata, type Forming, type ViewForm } from "./form.ts";
import { type DiskSample, sampleDisk } from "./sample.ts";
import { SERVED_LEAD_BYTES, servedWindows, windowBytes } from "./served_windows.ts";

const BLOCK_BYTES = 2 ** MAX_BLOCK_BITS;
/** Each takes a loop device. */
const MAX_WINDOWS = 64;
/** No larger disk has a view. */
const MAX_DEMAND_BYTES = MAX_WINDOWS * windowBytes(MAX_BLOCK_BITS);

export class DemandForm implements ViewForm {
  readonly isDecoding = false;
  readonly needsServer = true;
  readonly fileStarts: readonly number[];
  readonly #forming: Forming;
  readonly #sample: DiskSample;
  /** Whether no device has a number at which another one's chunk ends. */
  readonly #isDistinct: boolean;

  /** @throws {RangeError} if the disk is too large */
  constructor(forming: Forming) {
    const { access, fileSizes } = forming;
    if (access.sizeBytes > MAX_DEMAND_BYTES) {
      throw new RangeError("the disk is too large for a view");
    }
    this.#forming = forming;
    this.#sample = sampleDisk(access);
    const areFixed = fixedFiles(access);
    const files = fileSizes.map((sizeBytes, file) => ({
      isFixed: areFixed[file] ?? false,
      sizeBytes,
      leastOffset: Infinity,
    }));
    const starts = distinctStarts(files, 2 ** this.#sample.chunkBits);
    this.#isDistinct = starts !== undefined;
    this.fileStarts = starts ?? fileSizes.map(() => 0);
  }

  get servedShare(): number {
    return this.#sample.servedShare;
  }

  metadata(path: string): FormedMetadata {
    const { access: { sizeBytes }, fileSizes } = this.#forming;
    const { chunkBits } = this.#sample;
    const windowsAt = (leadBytes: number) =>
      servedWindows(sizeBytes, { leadBytes, mostBytes: windowBytes(MAX_BLOCK_BITS) });
    const ofFiles = fileSizes.map((size, file) => size - (this.fileStarts[file] ?? 0));
    const fileSystem = new FileSystem({
      path,
      blockBits: MAX_BLOCK_BITS,
      deviceSizes: [...ofFiles, ...windowsAt(SERVED_LEAD_BYTES).map((window) => window.sizeBytes)],
      sizeBytes,
      layout: "chunks",
      inodeUnion: chunkBits - MAX_BLOCK_BITS | CHUNK_FORMAT_INDEXES,
      contentBytes: Math.ceil(sizeBytes / 2 ** chunkBits) * CHUNK_ENTRY.size,
      copiedBytes: 0,
      isHeadOnly: true,
    });
    const leadBytes = roundUp(fileSystem.totalBytes, BLOCK_BYTES) + SERVED_LEAD_BYTES;
    return {
      bytes: fileSystem.bytes,
      demand: this.#layout(),
      needsDirectIo: !this.#isDistinct,
      leadBytes,
      windows: windowsAt(leadBytes),
    };
  }

  #layout(): Omit<DemandLayout, "head"> {
    const { access: { sizeBytes }, fileSizes } = this.#forming;
    const { chunkBits } = this.#sample;
    return {
      sizeBytes,
      blockBits: MAX_BLOCK_BITS,
      chunkBits,
      fileSizes,
      fileStarts: this.fileStarts,
      hostUnitBytes: this.#isDistinct ? 2 ** chunkBits : BLOCK_BYTES,
      serverDevice: fileSizes.length + 1,
    };
  }
}
