/**
 * Small valid images, and what of them is worth changing.
 *
 * @module
 */
import { COWD_HEADER, HOSTED_HEADER, MARKER } from "../../../src/format/vmdk/layout.ts";
import { HEADER, VOLATILE_HEADER } from "../../../src/format/vmdk/sesparse/layout.ts";
import type { Original } from "../mutations.ts";
import { buildVmdk, entryOffset, GRAIN } from "./image_builder.ts";
import { buildStream } from "./stream_builder.ts";
import {
  buildCowd,
  buildSeSparse,
  COWD_DIRECTORY,
  COWD_TABLE,
  SE_DIRECTORY,
  SE_TABLES,
} from "./vmfs_builder.ts";

const SECTOR = 512;

export function vmdkOriginal(): Original {
  const map = [2, 0, 1, "none", "zero", 3, "none", "zero", ...Array(20).fill("none")];
  return {
    bytes: buildVmdk({ map }),
    structures: [{ start: 0, types: HOSTED_HEADER.types, offsets: HOSTED_HEADER.offsets }],
    entries: Array.from({ length: map.length - 1 }, (_, index) => entryOffset(index)),
    littleEndian: true,
    headBytes: 4096,
  };
}

/** With the directory in front, and in the footer. */
export function streamOriginals(): Original[] {
  const grains = Array.from(
    { length: 20 },
    (_, n) => n % 3 === 2 ? undefined : new Uint8Array(GRAIN).fill(n + 1),
  );
  const { types, offsets } = HOSTED_HEADER;
  return (["front", "footer"] as const).map((directory) => {
    const { bytes, table, markers } = buildStream({ grains, directory });
    const footer = directory === "footer"
      ? [{ start: bytes.length - 2 * SECTOR, types, offsets }]
      : [];
    const marks = markers.map((start) => ({ start, types: MARKER.types, offsets: MARKER.offsets }));
    return {
      bytes,
      structures: [{ start: 0, types, offsets }, ...footer, ...marks],
      entries: Array.from({ length: 15 }, (_, n) => table + 4 * n),
      littleEndian: true,
      headBytes: 5 * SECTOR,
    };
  });
}

export function cowdOriginal(): Original {
  const map = new Map([[0, 0], [1, 1], [2, 2], [3, 7], [5, 3], [4095, 4]]);
  return {
    bytes: buildCowd({ map, sectors: 8192 }),
    structures: [{ start: 0, types: COWD_HEADER.types, offsets: COWD_HEADER.offsets }],
    entries: [COWD_DIRECTORY * SECTOR, ...entriesFrom(COWD_TABLE * SECTOR, 4)],
    littleEndian: true,
    headBytes: 1652,
  };
}

export function seSparseOriginal(): Original {
  const map = [2, 2n << 60n, 1n << 60n, 0, 1, 0n, 3];
  return {
    bytes: buildSeSparse({ map, sectors: 8192 }),
    structures: [
      { start: 0, types: HEADER.types, offsets: HEADER.offsets },
      { start: SECTOR, types: VOLATILE_HEADER.types, offsets: VOLATILE_HEADER.offsets },
    ],
    entries: [SE_DIRECTORY * SECTOR, ...entriesFrom(SE_TABLES * SECTOR, 8)],
    littleEndian: true,
    headBytes: 208,
  };
}

/** Of eight grains. */
function entriesFrom(start: number, entryBytes: number): number[] {
  return Array.from({ length: 8 }, (_, n) => start + n * entryBytes);
}
