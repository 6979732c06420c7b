/**
 * A view whose file is in extents, some of which the kernel decompresses.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import { IoBuffer } from "../sys/memory.ts";
import { ExtentMetadata } from "./extent_metadata.ts";
import type { ExtentPlan } from "./extent_plan.ts";
import type { FormedMetadata, Forming, ViewForm } from "./form.ts";
import { SERVED_LEAD_BYTES, servedWindows } from "./served_windows.ts";

export class DecodingForm implements ViewForm {
  readonly isDecoding = true;
  readonly fileStarts: readonly number[];
  readonly #access: ImageAccess;
  readonly #plan: ExtentPlan;
  readonly #fileSizes: readonly number[];

  constructor(plan: ExtentPlan, { access, fileSizes }: Forming) {
    this.#access = access;
    this.#plan = plan;
    this.#fileSizes = fileSizes;
    this.fileStarts = fileSizes.map(() => 0);
  }

  get needsServer(): boolean {
    return this.#plan.serverExtents > 0;
  }

  get servedShare(): number {
    return this.#plan.servedBytes / this.#plan.storedBytes;
  }

  metadata(path: string): FormedMetadata {
    const leadBytes = SERVED_LEAD_BYTES;
    const windows = this.needsServer
      ? servedWindows(this.#plan.sizeBytes, { leadBytes, mostBytes: Infinity })
      : [];
    const metadata = new ExtentMetadata({
      plan: this.#plan,
      path,
      deviceSizes: [...this.#fileSizes, ...windows.map(({ sizeBytes }) => sizeBytes)],
      serverDevice: this.#fileSizes.length + 1,
    });
    for (const { file, hostOffset, lengthBytes, position } of this.#plan.copies) {
      const buffer = new IoBuffer(lengthBytes);
      this.#access.files[file]?.read(buffer, 0, hostOffset, lengthBytes);
      metadata.bytes.set(buffer.bytes, metadata.copiesPosition + position);
    }
    // Where it decompresses, the kernel tells devices apart.
    return { bytes: metadata.bytes, needsDirectIo: false, leadBytes, windows };
  }
}
