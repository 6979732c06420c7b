/**
 * A view whose file is in chunks: the clusters.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import { ReadRequest } from "../disk/reader.ts";
import { IoBuffer } from "../sys/memory.ts";
import { fixedFiles, type FormedMetadata, type Forming, type ViewForm } from "./form.ts";
import { ViewMetadata } from "./metadata.ts";
import { planView, type ViewPlan } from "./plan.ts";
import type { RunList } from "./run_list.ts";
import { SERVED_LEAD_BYTES, servedWindows, windowBytes } from "./served_windows.ts";

export class ChunkedForm implements ViewForm {
  readonly isDecoding = false;
  readonly #access: ImageAccess;
  readonly #plan: ViewPlan;
  readonly #fileSizes: readonly number[];

  /** @throws as {@link planView} */
  constructor(runs: RunList, { access, fileSizes }: Forming) {
    this.#access = access;
    this.#fileSizes = fileSizes;
    this.#plan = planView(runs, {
      sizeBytes: access.sizeBytes,
      fileSizes,
      areFixed: fixedFiles(access),
    });
  }

  get needsServer(): boolean {
    return this.#plan.serverChunks > 0;
  }

  get servedShare(): number {
    const { serverChunks, plainChunks } = this.#plan;
    return this.needsServer ? serverChunks / (serverChunks + plainChunks) : 0;
  }

  get fileStarts(): readonly number[] {
    return this.#plan.fileStarts;
  }

  metadata(path: string): FormedMetadata {
    const { blockBits, fileStarts, sizeBytes } = this.#plan;
    const leadBytes = SERVED_LEAD_BYTES;
    const windows = this.needsServer
      ? servedWindows(sizeBytes, { leadBytes, mostBytes: windowBytes(blockBits) })
      : [];
    const ofFiles = this.#fileSizes.map((size, file) => size - (fileStarts[file] ?? 0));
    const metadata = new ViewMetadata({
      plan: this.#plan,
      path,
      deviceSizes: [...ofFiles, ...windows.map((window) => window.sizeBytes)],
      serverDevice: ofFiles.length + 1,
    });
    this.#copyInto(metadata);
    const { bytes, needsDirectIo } = metadata;
    return { bytes, needsDirectIo, leadBytes, windows };
  }

  #copyInto(metadata: ViewMetadata): void {
    const chunkBytes = 2 ** this.#plan.chunkBits;
    const buffer = new IoBuffer(chunkBytes);
    const request = new ReadRequest();
    this.#plan.copies.forEach((chunk, index) => {
      const start = chunk * chunkBytes;
      const count = Math.min(chunkBytes, this.#access.sizeBytes - start);
      this.#access.read(request.ask(start, count).into(buffer, 0));
      metadata.bytes.set(buffer.bytes.subarray(0, count), metadata.copyPosition(index));
    });
  }
}
