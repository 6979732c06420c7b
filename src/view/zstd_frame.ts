/**
 * How a zstd frame begins (RFC 8878, 3.1.1.1).
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

export interface FrameHeader {
  /** How much of what was decompressed has to be kept. */
  readonly windowBytes: number;
  /** How much it decompresses to; undefined if it does not say. */
  readonly contentBytes: number | undefined;
  readonly needsDictionary: boolean;
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
  return { windowBytes, contentBytes, needsDictionary: dictionaryBytes > 0 };
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
