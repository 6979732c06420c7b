/**
 * Where the frames of a file are, found by their headers and those of their blocks.
 *
 * @module
 */
import {
  type FrameHeader,
  MAX_FRAME_HEADER_BYTES,
  parseBlockHeader,
  parseFrameHeader,
  skippableBytes,
} from "../../codec/zstd_frame.ts";
import { ImageFormatError } from "../../image/errors.ts";
import { ZSTD } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";

/** A frame that has some of the disk. */
export interface ZstdFrame {
  readonly hostOffset: number;
  readonly hostBytes: number;
  /** Undefined where the frame does not say. */
  readonly contentBytes: number | undefined;
}

/** Of blocks, and of frames: with more, looking at all of them would take seconds. */
const MAX_STEPS = 2 ** 20;

/**
 * All frames of a file; undefined if there are too many to look at.
 *
 * @throws {ImageFormatError} if something else is among them, or the last one is not whole
 */
export function findFrames(file: ImageFile): readonly ZstdFrame[] | undefined {
  return new FrameWalk(file).run();
}

class FrameWalk {
  readonly #file: ImageFile;
  readonly #head = new IoBuffer(MAX_FRAME_HEADER_BYTES);
  #steps = 0;

  constructor(file: ImageFile) {
    this.#file = file;
  }

  run(): readonly ZstdFrame[] | undefined {
    const frames: ZstdFrame[] = [];
    const { sizeBytes } = this.#file;
    for (let at = 0; at < sizeBytes;) {
      const skipped = skippableBytes(this.#read(at));
      if (skipped > 0) {
        at += skipped;
      } else {
        const header = parseFrameHeader(this.#head.bytes);
        if (header === undefined) throw this.#fault("there is no frame", at);
        const end = this.#endOf(at, header);
        frames.push({ hostOffset: at, hostBytes: end - at, contentBytes: header.contentBytes });
        at = end;
      }
      if (this.#steps > MAX_STEPS) return undefined;
      if (at > sizeBytes) throw this.#fault("the file ends too soon", sizeBytes);
    }
    return frames;
  }

  #read(hostOffset: number): DataView {
    this.#steps++;
    this.#file.read(this.#head, 0, hostOffset, this.#head.size);
    return this.#head.view;
  }

  #endOf(start: number, { headerBytes, tailBytes }: FrameHeader): number {
    let at = start + headerBytes;
    while (at < this.#file.sizeBytes && this.#steps <= MAX_STEPS) {
      const block = parseBlockHeader(this.#read(at));
      if (block === undefined) throw this.#fault("there is no block", at);
      at += block.totalBytes;
      if (block.isLast) return at + tailBytes;
    }
    return at + tailBytes;
  }

  #fault(what: string, hostOffset: number): ImageFormatError {
    const message = `${what} at 0x${hostOffset.toString(16)}`;
    return new ImageFormatError(ZSTD.name, this.#file.path, message, hostOffset);
  }
}
