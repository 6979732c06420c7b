/**
 * What a daemon serves of a view, as one file: see {@link ServedLayout}.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import type { ReadRequest } from "../disk/reader.ts";
import { DemandMetadata } from "./demand_metadata.ts";
import type { ServedLayout } from "./served_layout.ts";

/** The file, for one thread. */
export class ServedContent {
  readonly readOnly = true;
  readonly leadBytes: number;
  readonly #access: ImageAccess;
  readonly #metadata: DemandMetadata | undefined;

  constructor(access: ImageAccess, { leadBytes, metadata }: ServedLayout) {
    this.leadBytes = leadBytes;
    this.#access = access;
    if (metadata !== undefined) this.#metadata = new DemandMetadata(access, metadata);
  }

  get sizeBytes(): number {
    return this.leadBytes + this.#access.sizeBytes;
  }

  /** As {@link Reader.read}; what was asked for is not known any more afterwards. */
  read(request: ReadRequest): boolean {
    const { offset, lengthBytes, target, position } = request;
    const front = Math.min(lengthBytes, Math.max(0, this.leadBytes - offset));
    if (front > 0 && !this.#readFront(request.ask(offset, front))) return false;
    if (front === lengthBytes) return true;
    request.ask(offset + front - this.leadBytes, lengthBytes - front);
    if (target !== undefined) request.into(target, position + front);
    return this.#access.read(request);
  }

  #readFront(request: ReadRequest): boolean {
    if (this.#metadata !== undefined) return this.#metadata.read(request);
    const { target, position, lengthBytes } = request;
    target?.bytes.fill(0, position, position + lengthBytes);
    return true;
  }
}
