/**
 * Small valid images, and what of them is worth changing.
 *
 * @module
 */
import {
  DESCRIPTOR,
  HEADER,
  HEADER_OFFSETS,
  LOG_ENTRY,
  METADATA_ENTRY,
  METADATA_TABLE,
  REGION_ENTRY,
  REGION_TABLE,
  REGION_TABLE_OFFSETS,
} from "../../../src/format/vhdx/layout.ts";
import type { Original, Structure } from "../mutations.ts";
import { at, BAT, BITS, buildVhdx, LOG, METADATA, MIB } from "./image_builder.ts";
import { batPage, putLog } from "./log_builder.ts";

/** Where items lie: the file parameters, sizes of disk and sectors. */
const ITEMS = METADATA + 65536;
const ITEM_BYTES = 64;

/** One with an empty log, and one whose log has to be replayed; of both, the blocks are cut off. */
export function vhdxOriginals(): Original[] {
  const map = [at(0), [2], [3], at(0), [1]] as const;
  const logged = [batPage([at(0), [2], at(0)]), { hostOffset: BAT + 8192, zeros: 4096 }];
  const log = [
    { place: 0, sequence: 1, logged: [] },
    { place: 4096, sequence: 2, tail: 0, logged },
  ];
  const plain = buildVhdx({ bat: map, stored: 0 }).slice(0, LOG + MIB);
  return [original(plain), original(putLog(plain.slice(), log))];
}

/** One that can be written to, of which the file has some of a block. */
export function writableOriginal(): Original {
  const bytes = buildVhdx({ bat: [[0], at(-1), [2], [3]], stored: 0 });
  return original(bytes.slice(0, BITS + 4096));
}

function original(bytes: Uint8Array<ArrayBuffer>): Original {
  const parts: readonly (readonly [start: number, layout: Omit<Structure, "start">])[] = [
    ...HEADER_OFFSETS.map((start) => [start, HEADER] as const),
    ...REGION_TABLE_OFFSETS.flatMap((start) => [
      [start, REGION_TABLE] as const,
      [start + REGION_TABLE.sizeBytes, REGION_ENTRY] as const,
    ]),
    [METADATA, METADATA_TABLE],
    ...[0, 1, 2, 3].map((index) =>
      [
        METADATA + METADATA_TABLE.sizeBytes + index * METADATA_ENTRY.sizeBytes,
        METADATA_ENTRY,
      ] as const
    ),
    [LOG, LOG_ENTRY],
    [LOG + LOG_ENTRY.sizeBytes, DESCRIPTOR],
  ];
  return {
    bytes,
    structures: parts.map(([start, { types, offsets }]) => ({ start, types, offsets })),
    entries: [
      ...[0, 1, 2, 3, 4].map((index) => BAT + 8 * index),
      ...Array.from({ length: ITEM_BYTES / 8 }, (_, index) => ITEMS + 8 * index),
    ],
    littleEndian: true,
    headBytes: REGION_TABLE_OFFSETS[1],
  };
}
