/**
 * How a zstd frame begins (RFC 8878, 3.1.1.1), and where it ends.
 *
 * @module
 */

const MAGIC = 0xfd2fb528;
/** The longest header: magic number, descriptor, window, dictionary, size of the content. */
export const MAX_FRAME_HEADER_BYTES = 18;
/** By the descriptor's lowest two bits, and by its highest two. */
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const SINGLE_SEGMENT = 0x20;
const RESERVED = 0x08;
const CHECKSUM = 0x04;
const CHECKSUM_BYTES = 4;

export interface FrameHeader {
  /** How much of what was decompressed has to be kept. */
  readonly windowBytes: number;
  /** How much it decompresses to; undefined if it does not say. */
  readonly contentBytes: number | undefined;
  readonly needsDictionary: boolean;
  /** Bytes in front of the first block, and behind the last one. */
  readonly headerBytes: number;
  readonly tailBytes: number;
}

/** @returns undefined if `bytes` do not begin with a frame */
export function parseFrameHeader(bytes: Uint8Array): FrameHeader | undefined {
  const padded = new Uint8Array(MAX_FRAME_HEADER_BYTES);
  padded.set(bytes.subarray(0, MAX_FRAME_HEADER_BYTES));
  const view = new DataView(padded.buffer);
  const descriptor = view.getUint8(4);
  if (view.getUint32(0, true) !== MAGIC || (descriptor & RESERVED) !== 0) return undefined;
  const isSingle = (descriptor & SINGLE_SEGMENT) !== 0;
  const dictionaryBytes = DICTIONARY_BYTES[descriptor & 3] ?? 0;
  const sizeAt = 5 + (isSingle ? 0 : 1) + dictionaryBytes;
  const contentBytes = contentSize(view, sizeAt, descriptor >>> 6, isSingle);
  const windowBytes = isSingle ? contentBytes ?? 0 : windowSize(view.getUint8(5));
  const flagBytes = CONTENT_SIZE_BYTES[descriptor >>> 6] ?? 0;
  return {
    windowBytes,
    contentBytes,
    needsDictionary: dictionaryBytes > 0,
    headerBytes: sizeAt + (isSingle ? Math.max(1, flagBytes) : flagBytes),
    tailBytes: (descriptor & CHECKSUM) === 0 ? 0 : CHECKSUM_BYTES,
  };
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + base / 8 * (descriptor & 7);
}

function contentSize(
  view: DataView,
  at: number,
  flag: number,
  isSingle: boolean,
): number | undefined {
  switch (CONTENT_SIZE_BYTES[flag]) {
    case 2:
      return view.getUint16(at, true) + 256;
    case 4:
      return view.getUint32(at, true);
    case 8:
      return Number(view.getBigUint64(at, true));
    default:
      return isSingle ? view.getUint8(at) : undefined;
  }
}

/** Sixteen marks of frames that hold nothing for the decoder (3.1.2), and their length behind them. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;
const SKIPPABLE_HEADER_BYTES = 8;

/** Bytes of the frame that `view` begins with, if it has nothing for the decoder; else 0. */
export function skippableBytes(view: DataView): number {
  if ((view.getUint32(0, true) & SKIPPABLE_MASK) !== SKIPPABLE_MAGIC) return 0;
  return SKIPPABLE_HEADER_BYTES + view.getUint32(4, true);
}

const BLOCK_HEADER_BYTES = 3;
const LAST_BLOCK = 0x1;
const BLOCK_TYPE_SHIFT = 1;
const BLOCK_SIZE_SHIFT = 3;
/** Of block types: one byte that is repeated, and one that means nothing yet. */
const RUN_BLOCK = 1;
const RESERVED_BLOCK = 3;

/** A block, header included (3.1.1.2). */
export interface Block {
  readonly totalBytes: number;
  readonly isLast: boolean;
}

/** The block that `view` begins with; undefined if that is none. */
export function parseBlockHeader(view: DataView): Block | undefined {
  const header = view.getUint16(0, true) | view.getUint8(2) << 16;
  const type = header >>> BLOCK_TYPE_SHIFT & 3;
  if (type === RESERVED_BLOCK) return undefined;
  const storedBytes = type === RUN_BLOCK ? 1 : header >>> BLOCK_SIZE_SHIFT;
  return { totalBytes: BLOCK_HEADER_BYTES + storedBytes, isLast: (header & LAST_BLOCK) !== 0 };
}
