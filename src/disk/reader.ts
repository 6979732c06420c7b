/**
 * Reading a disk through the chain of its images.
 *
 * @module
 */
import type { Image } from "../image/driver.ts";
import { Extent, type Mapping } from "../image/mapping.ts";
import { Attempt } from "../storage/attempt.ts";
import { IoBuffer } from "../sys/memory.ts";
import { MAX_CHAIN_IMAGES } from "./runs.ts";
import { Frame } from "./frame.ts";
import { SealedReader } from "./sealed.ts";
import { Unpacker, type Unpacking } from "./unpacker.ts";
import { Workbench } from "./workbench.ts";

const NO_BUFFER = new Uint8Array(0);

/** One read, and what came of it; used again for the next one. */
export class ReadRequest {
  /** Whether it may wait; after a failure, what has to come first. */
  readonly attempt = new Attempt();
  /** Where the bytes go to. */
  target: IoBuffer | undefined = undefined;
  position = 0;
  offset = 0;
  lengthBytes = 0;
  /** Whether the zeros need not be written if it is of nothing else; for one read. */
  mayOmitZeros = false;
  /** Whether that was so. */
  hasOmittedZeros = false;

  /** Asks for `lengthBytes` of the disk from `offset` on. */
  ask(offset: number, lengthBytes: number): this {
    this.offset = offset;
    this.lengthBytes = lengthBytes;
    this.mayOmitZeros = false;
    return this;
  }

  /** Wants them in `target` from `position` on. */
  into(target: IoBuffer, position: number): this {
    this.target = target;
    this.position = position;
    return this;
  }
}

/** What decompresses the pieces of the image at `depth`: 0 is the top one. */
export type UnpackingAt = (depth: number) => Unpacking;

/** Reads for one thread. */
export class Reader implements Disposable {
  readonly #image: Image;
  readonly #unpackingAt: UnpackingAt;
  /** One for each depth of the chain. */
  readonly #frames: Frame[] = [];
  readonly #sealed = new SealedReader();
  readonly #workbench = new Workbench();
  #request = new ReadRequest();
  #bytes: Uint8Array = NO_BUFFER;

  constructor(image: Image, unpackingAt: UnpackingAt) {
    this.#image = image;
    this.#unpackingAt = unpackingAt;
  }

  /**
   * Reads what `request` asks for, its offset counted from `startBytes` of the disk.
   *
   * @returns false if something has to come first; the target's content is undefined then
   * @throws {ImageFormatError} if the image is damaged there
   * @throws {SystemError} if a file cannot be read
   */
  read(request: ReadRequest, startBytes: number): boolean {
    this.#request = request;
    this.#bytes = request.target?.bytes ?? NO_BUFFER;
    request.hasOmittedZeros = false;
    request.attempt.begin();
    const frame = this.#frameAt(0, this.#image);
    frame.guestOffset = startBytes + request.offset;
    frame.position = request.position;
    frame.lengthBytes = request.lengthBytes;
    return this.#readFrame(frame, 0);
  }

  #readFrame(frame: Frame, depth: number): boolean {
    const { attempt } = this.#request;
    let ready = true;
    while (frame.lengthBytes > 0) {
      frame.map();
      const runBytes = frame.mapping.lengthBytes;
      if (!this.#readExtent(frame, depth)) {
        ready = false;
        // While another thread decodes this, the rest need not wait.
        if (attempt.awaited === undefined || runBytes === 0) break;
      }
      frame.advance(runBytes);
    }
    return ready;
  }

  /** Reads the run that the frame's mapping describes. */
  #readExtent(frame: Frame, depth: number): boolean {
    const { mapping, position } = frame;
    switch (mapping.kind) {
      case Extent.Data:
        return this.#readData(mapping, position);
      case Extent.Zero:
        this.#fillWithZeros(position, mapping.lengthBytes);
        return true;
      case Extent.Backing:
        return this.#readBacking(mapping, position, depth);
      case Extent.Packed:
        frame.unpacker ??= new Unpacker(this.#unpackingAt(depth), this.#workbench);
        return frame.unpacker.read(frame, this.#target);
      case Extent.Sealed:
        return this.#sealed.read(mapping, this.#target, position);
      case Extent.Blocked:
        return false;
    }
  }

  get #target(): IoBuffer {
    const { target } = this.#request;
    if (target === undefined) throw new Error("a read to nowhere");
    return target;
  }

  #readData({ file, hostOffset, lengthBytes, attempt }: Mapping, position: number): boolean {
    if (file === undefined) throw new Error("a data extent without a file");
    return attempt.read(file, this.#target, position, hostOffset, lengthBytes);
  }

  #readBacking(mapping: Mapping, position: number, depth: number): boolean {
    const { image, guestOffset, lengthBytes } = mapping;
    const inside = image === undefined
      ? 0
      : Math.max(0, Math.min(lengthBytes, image.sizeBytes - guestOffset));
    if (inside < lengthBytes) this.#fillWithZeros(position + inside, lengthBytes - inside);
    if (image === undefined || inside === 0) return true;
    const below = this.#frameAt(depth + 1, image);
    below.guestOffset = guestOffset;
    below.position = position;
    below.lengthBytes = inside;
    return this.#readFrame(below, depth + 1);
  }

  #fillWithZeros(position: number, lengthBytes: number): void {
    const request = this.#request;
    if (request.mayOmitZeros && lengthBytes === request.lengthBytes) request.hasOmittedZeros = true;
    else this.#bytes.fill(0, position, position + lengthBytes);
  }

  #frameAt(depth: number, image: Frame["image"]): Frame {
    let frame = this.#frames[depth];
    if (frame === undefined) {
      if (depth >= MAX_CHAIN_IMAGES) {
        throw new Error(`more than ${MAX_CHAIN_IMAGES} images below each other`);
      }
      frame = new Frame(image);
      this.#frames[depth] = frame;
    }
    frame.image = image;
    frame.mapping.attempt = this.#request.attempt;
    return frame;
  }

  /** Gives the memory back of all that can be read again. */
  dropCaches(): void {
    for (const { unpacker } of this.#frames) unpacker?.dropCache();
    this.#workbench.clear();
  }

  [Symbol.dispose](): void {
    this.#workbench[Symbol.dispose]();
  }
}
