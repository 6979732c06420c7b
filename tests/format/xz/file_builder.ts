/**
 * Files as xz(1) writes them, of blocks that are stored rather than compressed (LZMA2, control byte 1).
 *
 * @module
 */
import { crc32 } from "../../../src/format/kit/crc32.ts";

/** What a chunk of LZMA2 holds at most, uncompressed. */
const CHUNK_BYTES = 65536;
const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0];
/** One filter, LZMA2, with a dictionary of 64 KiB; nothing said of sizes. */
const BLOCK_HEADER = [2, 0, 0x21, 1, 8, 0, 0, 0];
const CHECK_CRC32 = 1;

type Bytes = readonly number[];

/** A file of streams, each of which has blocks with these contents. */
export function buildXz(
  streams: readonly (readonly Uint8Array[])[],
  paddingBytes = 0,
): Uint8Array<ArrayBuffer> {
  const padding = new Array<number>(paddingBytes).fill(0);
  return Uint8Array.from(streams.flatMap((blocks) => [...stream(blocks), ...padding]));
}

function stream(contents: readonly Uint8Array[]): Bytes {
  const flags = [0, CHECK_CRC32];
  const blocks = contents.map(block);
  const index = indexOf(contents, blocks.map(({ unpaddedBytes }) => unpaddedBytes));
  const backward = [...word(index.length / 4 - 1), ...flags];
  return [
    ...MAGIC,
    ...withSum(flags),
    ...blocks.flatMap(({ bytes }) => [...bytes]),
    ...index,
    ...sum(backward),
    ...backward,
    0x59,
    0x5a,
  ];
}

function block(content: Uint8Array): { readonly bytes: Bytes; readonly unpaddedBytes: number } {
  const stored = [...withSum(BLOCK_HEADER), ...lzma2(content)];
  const check = sum([...content]);
  return { bytes: [...padded(stored), ...check], unpaddedBytes: stored.length + check.length };
}

function lzma2(content: Uint8Array): Bytes {
  const bytes: number[] = [];
  for (let at = 0; at < content.length; at += CHUNK_BYTES) {
    const chunk = content.subarray(at, at + CHUNK_BYTES);
    bytes.push(at === 0 ? 1 : 2, chunk.length - 1 >>> 8, chunk.length - 1 & 0xff, ...chunk);
  }
  return [...bytes, 0];
}

function indexOf(contents: readonly Uint8Array[], unpadded: readonly number[]): Bytes {
  const records = contents.flatMap((content, at) => [
    ...number(unpadded[at] ?? 0),
    ...number(content.length),
  ]);
  return withSum(padded([0, ...number(contents.length), ...records]));
}

/** Seven bits in each byte, the lowest first. */
export function number(value: number): Bytes {
  return value < 128 ? [value] : [value % 128 | 128, ...number(Math.floor(value / 128))];
}

function padded(bytes: Bytes): Bytes {
  return [...bytes, ...new Array<number>(-bytes.length & 3).fill(0)];
}

export function withSum(bytes: Bytes): Bytes {
  return [...bytes, ...sum(bytes)];
}

function sum(bytes: Bytes): Bytes {
  return word(crc32(Uint8Array.from(bytes)));
}

function word(value: number): Bytes {
  return [value & 0xff, value >>> 8 & 0xff, value >>> 16 & 0xff, value >>> 24];
}
