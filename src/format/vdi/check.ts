/**
 * Checking an image: the entries of its map, and how many blocks it says are stored. Nothing is repaired: the
 * next writer uses what a crash has left.
 *
 * @module
 */
import type { CheckOptions, CheckResult } from "../../image/checking.ts";
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { VDI } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { type Header, readHeader } from "./header.ts";
import { ENTRY_ZERO } from "./layout.ts";
import { canBeStored, mapEntries } from "./map_entries.ts";

/** More blocks would take too much memory. */
const MOST_BLOCKS = 2 ** 28;

/**
 * @throws {ImageFormatError} if what all else hangs on cannot be read
 * @throws {UnsupportedFeatureError} as {@link readHeader}; if something shall be repaired
 * @throws {RangeError} if it takes too much memory
 * @throws {SystemError} if the file cannot be read
 */
export function checkVdi(file: ImageFile, options: CheckOptions): CheckResult {
  if (options.repair !== "none") throw new UnsupportedFeatureError(VDI.name, file.path, "a repair");
  const header = readHeader(file);
  if (header.blocks > MOST_BLOCKS) throw new RangeError(`${header.blocks} blocks are too many`);
  const { used, end, misled, shared, fragmented } = survey(file, header, options);
  const isTooLow = end > header.allocated;
  if (isTooLow) {
    options.report(`${header.allocated} blocks are counted, but block ${end - 1} is used`);
  }
  const { dataOffset, extraBytes, blockBytes, allocated } = header;
  return {
    corruptions: misled + shared + (isTooLow ? 1 : 0),
    leaks: isTooLow ? 0 : Math.max(0, allocated - used),
    corruptionsFixed: 0,
    leaksFixed: 0,
    imageEndOffset: dataOffset + end * (extraBytes + blockBytes),
    totalClusters: header.blocks,
    allocatedClusters: used,
    fragmentedClusters: fragmented,
    compressedClusters: 0,
  };
}

interface Survey {
  /** Places in the file that have a block, and where the last of them ends. */
  readonly used: number;
  readonly end: number;
  /** Entries that lead nowhere, and such that lead where others do. */
  readonly misled: number;
  readonly shared: number;
  /** Blocks that do not lie behind the one before. */
  readonly fragmented: number;
}

function survey(file: ImageFile, header: Header, { report, progress }: CheckOptions): Survey {
  const seen = new Uint8Array(Math.ceil(header.blocks / 8));
  const found = { used: 0, end: 0, misled: 0, shared: 0, fragmented: 0 };
  let [block, last] = [-1, -1];
  for (const entry of mapEntries(file, header)) {
    block++;
    if (block % MOST_UNTOLD === 0) progress?.(block / header.blocks);
    if (entry >= ENTRY_ZERO) continue;
    if (!canBeStored(entry, file, header)) {
      found.misled++;
      report(`block ${block} is said to be stored as number ${entry}, which cannot be in the file`);
      continue;
    }
    const [at, bit] = [Math.floor(entry / 8), 1 << entry % 8];
    if (((seen[at] ?? 0) & bit) !== 0) {
      found.shared++;
      report(`block ${block} is stored as number ${entry}, as another one is`);
      continue;
    }
    seen[at] = (seen[at] ?? 0) | bit;
    found.used++;
    found.end = Math.max(found.end, entry + 1);
    if (last >= 0 && entry !== last + 1) found.fragmented++;
    last = entry;
  }
  return found;
}

/** So many blocks are looked at before it is said how far it has come. */
const MOST_UNTOLD = 65536;
