/**
 * Small compressed loop images, made byte by byte.
 *
 * @module
 */
import { deflateSync } from "node:zlib";
import { HEADER, MAGIC_BYTES } from "../../../src/format/cloop/layout.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Of a block, and how many of them there are: block n has bytes of n + 1. */
export const BLOCK = 8192;
export const BLOCKS = 4;
/** Where the offsets are. */
export const TABLE: number = HEADER.sizeBytes;

export interface CloopParts {
  readonly header?: Parameters<typeof HEADER.write>[2];
  /** What block n is, if not what it should be. */
  readonly blocks?: ReadonlyMap<number, Uint8Array>;
  /** Other offsets than the right ones. */
  readonly offsets?: ReadonlyMap<number, bigint>;
}

/** An image of four blocks. */
export function buildCloop(
  { header = {}, blocks = new Map(), offsets = new Map() }: CloopParts = {},
): Bytes {
  const packed = Array.from(
    { length: BLOCKS },
    (_, n) => deflateSync(blocks.get(n) ?? new Uint8Array(BLOCK).fill(n + 1)),
  );
  const start = TABLE + 8 * (BLOCKS + 1);
  const ends = packed.map((_, n) =>
    packed.slice(0, n + 1).reduce((sum, { length }) => sum + length, start)
  );
  const bytes = new Uint8Array(ends.at(-1) ?? start);
  const view = new DataView(bytes.buffer);
  const preamble = new Uint8Array(128);
  preamble.set(MAGIC_BYTES);
  HEADER.write(view, 0, { preamble, block_size: BLOCK, num_blocks: BLOCKS, ...header });
  for (const [n, offset] of [start, ...ends].entries()) {
    view.setBigUint64(TABLE + 8 * n, offsets.get(n) ?? BigInt(offset));
    const block = packed[n];
    if (block !== undefined) bytes.set(block, offset);
  }
  return bytes;
}
