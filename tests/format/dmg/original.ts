/**
 * Small valid images, and what of them is worth changing.
 *
 * @module
 */
import { deflateSync } from "node:zlib";
import { ChunkType, ENTRY, TABLE, TRAILER } from "../../../src/format/dmg/layout.ts";
import type { Original, Structure } from "../mutations.ts";
import { buildDmg, Compressed, type DmgParts, SECTOR } from "./image_builder.ts";
import { lzfseSample } from "../../support/lzfse_samples.ts";
import { adcOf } from "../../support/packers.ts";

/** Images of two tables, in a property list, or as resources, where entries can be changed one by one. */
export function dmgOriginals(): Original[] {
  return (["plist", "resources"] as const).map((place) => originalOf(place));
}

function originalOf(place: "plist" | "resources"): Original {
  const chunk = (byte: number): Uint8Array => new Uint8Array(8 * SECTOR).fill(byte);
  const bytes = buildDmg(
    {
      sectors: 64,
      place,
      tables: [
        {
          first: 0,
          entries: [
            { type: Compressed.zlib, sector: 0, sectors: 8, stored: deflateSync(chunk(1)) },
            { type: Compressed.adc, sector: 8, sectors: 8, stored: adcOf(chunk(2)) },
            { type: Compressed.lzfse, sector: 16, sectors: 2, stored: lzfseSample(1024) },
            { type: ChunkType.zero, sector: 18, sectors: 6 },
          ],
        },
        {
          first: 32,
          entries: [
            { type: ChunkType.raw, sector: 32, sectors: 8, stored: chunk(3) },
            { type: Compressed.zlib, sector: 48, sectors: 8, stored: deflateSync(chunk(4)) },
            { type: ChunkType.end, sector: 56, sectors: 0 },
          ],
        },
      ],
    } satisfies DmgParts,
  );
  const trailer = bytes.length - TRAILER.sizeBytes;
  const tables = place === "resources" ? tablesOf(bytes) : [];
  const entries = tables.flatMap((start) =>
    [0, 1, 2].map((index) => start + TABLE.sizeBytes + index * ENTRY.sizeBytes)
  );
  const structures: Structure[] = [
    { start: trailer, types: TRAILER.types, offsets: TRAILER.offsets },
    ...tables.map((start) => ({ start, types: TABLE.types, offsets: TABLE.offsets })),
    ...entries.map((start) => ({ start, types: ENTRY.types, offsets: ENTRY.offsets })),
  ];
  const fields = ["sector", "sectors", "offset", "length"] as const;
  return {
    bytes,
    structures,
    entries: entries.length === 0
      ? [trailer + TRAILER.offsets.sectors]
      : entries.flatMap((start) => fields.map((field) => start + ENTRY.offsets[field])),
    headBytes: trailer,
  };
}

/** Where the tables begin. */
function tablesOf(bytes: Uint8Array): number[] {
  return [...new TextDecoder("latin1").decode(bytes).matchAll(/mish/g)].map(({ index }) => index);
}
