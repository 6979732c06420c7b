/**
 * What a view is made of, in one form or another: which parts of the disk the kernel reads, and the
 * metadata by which it finds them.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import { ReadRequest } from "../disk/reader.ts";
import { IoBuffer } from "../sys/memory.ts";
import { ExtentMetadata } from "./extent_metadata.ts";
import { type ExtentPlan, type ExtentQuestions, planExtents } from "./extent_plan.ts";
import { ViewMetadata } from "./metadata.ts";
import { MAX_VIEW_BYTES, planView, type ViewPlan } from "./plan.ts";
import { listRuns } from "./run_list.ts";

/** How the devices below a view are arranged. */
export interface DeviceArrangement {
  /** Path of the file in the view, without a leading slash. */
  readonly path: string;
  /** Sizes of the devices of the image's files, in bytes, and of the server's, if it is needed. */
  readonly deviceSizes: readonly number[];
  /** Which of the devices is the server's; 0 is that of the metadata. */
  readonly serverDevice: number | undefined;
}

/** One form of views. */
export interface ViewForm {
  /** Whether a server has to have a part of the disk. */
  readonly needsServer: boolean;
  /** How much that is of all that is stored, from 0 to 1. */
  readonly servedShare: number;
  /** Whether the kernel decompresses. */
  readonly isDecoding: boolean;
  /** The metadata, whole. */
  metadata(arrangement: DeviceArrangement): FormedMetadata;
}

export interface FormedMetadata {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** As {@link ViewMetadata.needsDirectIo}. */
  readonly needsDirectIo: boolean;
}

/** What to make a form of. */
export interface Forming {
  readonly access: ImageAccess;
  /** Of its files, as far as their devices show them, in bytes. */
  readonly fileSizes: readonly number[];
}

/**
 * The form that the kernel can have of a disk.
 *
 * @param decodes whether the kernel is to decompress what it can
 * @throws {ImageFormatError} if the image is damaged
 * @throws {RangeError} if there would be too much metadata
 */
export function viewForm(forming: Forming, decodes: boolean): ViewForm {
  const { access, fileSizes } = forming;
  const { sizeBytes } = access;
  // Before all of its tables are read.
  if (sizeBytes > MAX_VIEW_BYTES) throw new RangeError("the disk is too large for a view");
  const runs = listRuns(access, { tellsPacked: decodes });
  const byteAt = byteReader(access);
  const extents = decodes ? planExtents(runs, { sizeBytes, fileSizes, byteAt }) : undefined;
  return extents === undefined
    ? new ChunkedForm(access, planView(runs, { sizeBytes, fileSizes }))
    : new DecodingForm(access, extents);
}

function byteReader({ files }: ImageAccess): ExtentQuestions["byteAt"] {
  const buffer = new IoBuffer(1);
  return (file, hostOffset) => {
    files[file]?.read(buffer, 0, hostOffset, 1);
    return buffer.bytes[0] ?? 0;
  };
}

/** The file is in chunks: the clusters. */
class ChunkedForm implements ViewForm {
  readonly isDecoding = false;
  readonly #access: ImageAccess;
  readonly #plan: ViewPlan;

  constructor(access: ImageAccess, plan: ViewPlan) {
    this.#access = access;
    this.#plan = plan;
  }

  get needsServer(): boolean {
    return this.#plan.serverChunks > 0;
  }

  get servedShare(): number {
    const { serverChunks, plainChunks } = this.#plan;
    return this.needsServer ? serverChunks / (serverChunks + plainChunks) : 0;
  }

  metadata(arrangement: DeviceArrangement): FormedMetadata {
    const metadata = new ViewMetadata({ plan: this.#plan, ...arrangement });
    const chunkBytes = 2 ** this.#plan.chunkBits;
    const buffer = new IoBuffer(chunkBytes);
    const request = new ReadRequest();
    this.#plan.copies.forEach((chunk, index) => {
      const start = chunk * chunkBytes;
      const count = Math.min(chunkBytes, this.#access.sizeBytes - start);
      this.#access.read(request.ask(start, count).into(buffer, 0));
      metadata.bytes.set(buffer.bytes.subarray(0, count), metadata.copyPosition(index));
    });
    return metadata;
  }
}

/** The file is in extents, some of which the kernel decompresses. */
class DecodingForm implements ViewForm {
  readonly isDecoding = true;
  readonly #access: ImageAccess;
  readonly #plan: ExtentPlan;

  constructor(access: ImageAccess, plan: ExtentPlan) {
    this.#access = access;
    this.#plan = plan;
  }

  get needsServer(): boolean {
    return this.#plan.serverExtents > 0;
  }

  get servedShare(): number {
    return this.#plan.servedBytes / this.#plan.storedBytes;
  }

  metadata(arrangement: DeviceArrangement): FormedMetadata {
    const metadata = new ExtentMetadata({ plan: this.#plan, ...arrangement });
    for (const { file, hostOffset, lengthBytes, position } of this.#plan.copies) {
      const buffer = new IoBuffer(lengthBytes);
      this.#access.files[file]?.read(buffer, 0, hostOffset, lengthBytes);
      metadata.bytes.set(buffer.bytes, metadata.copiesPosition + position);
    }
    // Where it decompresses, the kernel tells devices apart.
    return { bytes: metadata.bytes, needsDirectIo: false };
  }
}
