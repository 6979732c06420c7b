/**
 * Clusters stored as Zstandard frames (RFC 8878), mostly one, followed by anything.
 *
 * The library wants nothing behind a frame: where each ends is found by its blocks, whose sizes are
 * all that has to be known for that.
 *
 * @module
 */
import type { Libzstd } from "./libzstd.ts";
import { conclude, type Decompressor } from "./decompressor.ts";
import { ReusableStream } from "./runtime_streams.ts";

const MAGIC = 0xfd2fb528;
const MAGIC_BYTES = 4;
/** Sixteen marks of frames that hold nothing for the decoder (section 3.1.2). */
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;
const SKIPPABLE_HEADER_BYTES = 8;

// Frame_Header_Descriptor (section 3.1.1.1.1)
const CONTENT_SIZE_FLAG_SHIFT = 6;
const SINGLE_SEGMENT_FLAG = 0x20;
const CHECKSUM_FLAG = 0x04;
const DICTIONARY_ID_FLAG_MASK = 0x03;
/** Sizes of the fields that follow, by the value of their flag. */
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const CHECKSUM_BYTES = 4;
/** The most bytes behind the magic: descriptor, window, dictionary, content size. */
const MAX_HEADER_BYTES = 14;
/** What a content size of two bytes begins with. */
const SHORT_SIZE_START = 256;
// Window_Descriptor (section 3.1.1.1.2)
const WINDOW_EXPONENT_SHIFT = 3;
const MIN_WINDOW_BITS = 10;
/** Streams refuse larger windows (zstd.h, ZSTD_WINDOWLOG_LIMIT_DEFAULT). */
const MAX_WINDOW_BITS = 27;
const MAX_BLOCK_BYTES = 128 * 1024;
/** Of one cluster: hundreds of thousands that are empty would keep everybody waiting. */
const MAX_FRAMES = 1024;

// Block_Header (section 3.1.1.2)
const BLOCK_HEADER_BYTES = 3;
const LAST_BLOCK_FLAG = 0x1;
const BLOCK_TYPE_SHIFT = 1;
const BLOCK_TYPE_MASK = 0x3;
const BLOCK_SIZE_SHIFT = 3;
const BLOCK_TYPE_RLE = 1;
const BLOCK_TYPE_RESERVED = 3;

/** A frame that would go on past the end of the cluster is none, as in qemu. */
export class ZstdDecoder implements Decompressor {
  readonly #library: Libzstd | undefined;
  #stream: ReusableStream | undefined;
  readonly #oneMore = new Uint8Array(1);

  /** @param library what to use for frames that are a whole cluster, as nearly all are */
  constructor(library: Libzstd | undefined) {
    this.#library = library;
  }

  decompress(stored: Uint8Array, piece: Uint8Array, leastBytes?: number): boolean {
    if (this.#library !== undefined && isOrdinary(stored, piece.length)) {
      const first = stored.subarray(0, frameEnd(stored, 0));
      if (this.#library.decompress(first, piece)) return true;
    }
    return this.#decompressAll(stored, piece, leastBytes);
  }

  #decompressAll(stored: Uint8Array, piece: Uint8Array, leastBytes = piece.length): boolean {
    const stream = this.#stream ??= new ReusableStream("zstd");
    let filled = 0;
    let frames = 0;
    for (let at = 0; filled < piece.length;) {
      if (++frames > MAX_FRAMES) return false;
      const frame = stored.subarray(at, frameEnd(stored, at));
      if (frame.length === 0) return conclude(filled, piece, leastBytes);
      at += frame.length;
      if (isSkippable(frame)) continue;
      const room = filled === 0 ? piece : piece.subarray(filled);
      const count = stream.decompress(frame, room);
      if (count < 0 || count === room.length && this.#goesOn(stream, frame)) return false;
      filled += count;
    }
    return true;
  }

  #goesOn(stream: ReusableStream, frame: Uint8Array): boolean {
    return stream.goOn(frame, this.#oneMore) !== 0;
  }

  [Symbol.dispose](): void {
    this.#library?.[Symbol.dispose]();
    this.#stream?.[Symbol.dispose]();
  }
}

function isSkippable(frame: Uint8Array): boolean {
  return (viewOf(frame).getUint32(0, true) & SKIPPABLE_MASK) === SKIPPABLE_MAGIC;
}

/**
 * Position after the frame at `start` of `bytes`; `start` itself where there is none, or it is not
 * whole.
 */
export function frameEnd(bytes: Uint8Array, start: number): number {
  const view = viewOf(bytes);
  if (start + SKIPPABLE_HEADER_BYTES > bytes.length) return start;
  const magic = view.getUint32(start, true);
  let end: number;
  if (magic === MAGIC) {
    const { headerBytes, tailBytes } = frameSizes(view.getUint8(start + MAGIC_BYTES));
    end = blocksEnd(view, start + MAGIC_BYTES + headerBytes) + tailBytes;
  } else if ((magic & SKIPPABLE_MASK) === SKIPPABLE_MAGIC) {
    end = start + SKIPPABLE_HEADER_BYTES + view.getUint32(start + MAGIC_BYTES, true);
  } else {
    return start;
  }
  return end <= bytes.length ? end : start;
}

/**
 * Whether a frame's header is one that a frame of so many bytes may have, and streams take. Called
 * once for all, the library does not look whether blocks fit into the window, nor how large that is.
 */
function isOrdinary(frame: Uint8Array, contentBytes: number): boolean {
  if (frame.length < MAGIC_BYTES + MAX_HEADER_BYTES) return false;
  const view = viewOf(frame);
  const descriptor = view.getUint8(MAGIC_BYTES);
  const { windowBytes, dictionaryBytes, contentSizeBytes } = frameSizes(descriptor);
  if (dictionaryBytes !== 0) return false;
  if (windowBytes !== 0) {
    const exponent = view.getUint8(MAGIC_BYTES + 1) >>> WINDOW_EXPONENT_SHIFT;
    const isLarge = 2 ** (exponent + MIN_WINDOW_BITS) >= Math.min(contentBytes, MAX_BLOCK_BYTES);
    if (!isLarge || exponent + MIN_WINDOW_BITS >= MAX_WINDOW_BITS) return false;
  }
  const at = MAGIC_BYTES + 1 + windowBytes;
  switch (contentSizeBytes) {
    case 0:
      return true;
    case 2:
      return view.getUint16(at, true) + SHORT_SIZE_START === contentBytes;
    case 4:
      return view.getUint32(at, true) === contentBytes;
    default:
      return false; // what a cluster has fits into neither one byte nor needs eight
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

interface FrameSizes {
  readonly windowBytes: number;
  readonly dictionaryBytes: number;
  readonly contentSizeBytes: number;
  readonly headerBytes: number;
  readonly tailBytes: number;
}

/** Sizes of the fields of a frame, by its descriptor. */
function frameSizes(descriptor: number): FrameSizes {
  const singleSegment = (descriptor & SINGLE_SEGMENT_FLAG) !== 0;
  const contentFlag = descriptor >>> CONTENT_SIZE_FLAG_SHIFT;
  const windowBytes = singleSegment ? 0 : 1;
  const contentSizeBytes = contentFlag === 0 && singleSegment
    ? 1
    : CONTENT_SIZE_BYTES[contentFlag] ?? 0;
  const dictionaryBytes = DICTIONARY_ID_BYTES[descriptor & DICTIONARY_ID_FLAG_MASK] ?? 0;
  return {
    windowBytes,
    dictionaryBytes,
    contentSizeBytes,
    headerBytes: 1 + windowBytes + dictionaryBytes + contentSizeBytes,
    tailBytes: (descriptor & CHECKSUM_FLAG) === 0 ? 0 : CHECKSUM_BYTES,
  };
}

/** Position after the last of the blocks that begin at `start`; Infinity if there is no last one. */
function blocksEnd(view: DataView, start: number): number {
  let at = start;
  while (at + BLOCK_HEADER_BYTES <= view.byteLength) {
    const header = view.getUint16(at, true) | view.getUint8(at + 2) << 16;
    const type = header >>> BLOCK_TYPE_SHIFT & BLOCK_TYPE_MASK;
    if (type === BLOCK_TYPE_RESERVED) break;
    at += BLOCK_HEADER_BYTES + (type === BLOCK_TYPE_RLE ? 1 : header >>> BLOCK_SIZE_SHIFT);
    if (header & LAST_BLOCK_FLAG) return at;
  }
  return Infinity;
}
