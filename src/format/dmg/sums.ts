/**
 * The checksums of an image: each table has one of what its entries tell of, but for free space, and the
 * trailer has one of those.
 *
 * @module
 */
import type { ContentStep } from "../../image/content_steps.ts";
import type { MemoryLimit } from "../../image/driver.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { crc32 } from "../kit/crc32.ts";
import { BYTES_OF_CHUNK } from "./chunks.ts";
import { damaged } from "./errors.ts";
import { entryCount, summedRanges } from "./entries.ts";
import { CHECKSUM, TABLE } from "./layout.ts";
import { readTables, type Table } from "./tables.ts";
import { readTrailer } from "./trailer.ts";

/**
 * @throws as {@link readTrailer} and {@link readTables}
 * @throws {ImageFormatError} if the checksum of the tables' checksums is wrong
 */
export function* contentSteps(file: ImageFile, memory: MemoryLimit): Generator<ContentStep> {
  const trailer = readTrailer(file);
  const tables = readTables(file, trailer);
  memory.reserveMemory(entryCount(tables) * BYTES_OF_CHUNK);
  const sums = tables.map(({ view }) => sumIn(view, TABLE.offsets.checksum));
  const master = sumIn(trailer.masterSum, 0);
  if (master !== undefined && sums.every((sum) => sum !== undefined)) {
    const all = Uint8Array.from(sums.flatMap((sum) => [...Uint8Array.fromHex(sum)]));
    if (digitsOf(crc32(all)) !== master) {
      throw damaged(file.path, "the checksum of the checksums is wrong");
    }
  }
  for (const [index, table] of tables.entries()) {
    yield { kind: "begin", methods: sums[index] === undefined ? [] : ["crc32"] };
    for (const range of summedRanges(table)) yield { kind: "read", ...range };
    const expected = sums[index];
    if (expected === undefined) continue;
    yield {
      kind: "compare",
      method: "crc32",
      expected,
      name: `table ${index} (${placeOf(table)})`,
    };
  }
}

function placeOf({ firstSector }: Table): string {
  return `from sector ${firstSector} on`;
}

/** The digits of a checksum, if it is one of the only kind that is used. */
function sumIn(view: DataView, at: number): string | undefined {
  const isCrc = view.getUint32(at + CHECKSUM.type) === CHECKSUM.crc32 &&
    view.getUint32(at + CHECKSUM.bits) === 32;
  return isCrc ? digitsOf(view.getUint32(at + CHECKSUM.value)) : undefined;
}

function digitsOf(sum: number): string {
  return sum.toString(16).padStart(8, "0");
}
