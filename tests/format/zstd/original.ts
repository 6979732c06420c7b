/**
 * A small file of frames with a table of them, and what of it is worth changing.
 *
 * @module
 */
import { constants, zstdCompressSync } from "node:zlib";
import {
  SEEK_FOOTER,
  SEEK_MAGIC,
  SKIPPABLE_HEADER_BYTES,
} from "../../../src/format/zstd/layout.ts";
import { seededBytes } from "../../nbd/served_image.ts";
import type { Original } from "../mutations.ts";

const PARTS = [seededBytes(5000, 1), new Uint8Array(20_000), seededBytes(777, 3)] as const;
const TABLE_FRAME = 0x184d2a5e;

/** How a frame begins. */
const HEADER = {
  start: 0,
  types: { magic: "u32", descriptor: "u8" },
  offsets: { magic: 0, descriptor: 4 },
} as const;

/** With a table, or without one. */
export function zstdFileOriginals(): Original[] {
  const frames = PARTS.map(frame);
  const plain = Uint8Array.from(frames.flatMap((bytes) => [...bytes]));
  const tail = table(frames.map(({ length }) => length));
  const seekable = Uint8Array.from([...plain, ...tail]);
  const start = seekable.length - SEEK_FOOTER.sizeBytes;
  const footer = { start, types: SEEK_FOOTER.types, offsets: SEEK_FOOTER.offsets };
  const shared = { littleEndian: true, headBytes: 20 };
  const entries = [plain.length + SKIPPABLE_HEADER_BYTES];
  return [
    { ...shared, bytes: plain, structures: [HEADER], entries: [4] },
    { ...shared, bytes: seekable, structures: [footer], entries },
  ];
}

function frame(content: Uint8Array): Uint8Array {
  const params = { [constants.ZSTD_c_contentSizeFlag]: 1 };
  const options = { params, pledgedSrcSize: content.length };
  return zstdCompressSync(content, options);
}

function table(lengths: readonly number[]): Uint8Array {
  const footer = SKIPPABLE_HEADER_BYTES + 8 * lengths.length;
  const view = new DataView(new ArrayBuffer(footer + SEEK_FOOTER.sizeBytes));
  view.setUint32(0, TABLE_FRAME, true);
  view.setUint32(4, view.byteLength - SKIPPABLE_HEADER_BYTES, true);
  lengths.forEach((length, at) => {
    view.setUint32(SKIPPABLE_HEADER_BYTES + 8 * at, length, true);
    view.setUint32(SKIPPABLE_HEADER_BYTES + 8 * at + 4, PARTS[at]?.length ?? 0, true);
  });
  SEEK_FOOTER.write(view, footer, { frames: lengths.length, flags: 0, magic: SEEK_MAGIC });
  return new Uint8Array(view.buffer);
}
