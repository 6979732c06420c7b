/**
 * What an image needs before it is written to: counts that can be relied on, and a file that is whole.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { damaged, hex } from "../errors.ts";
import type { Header } from "../header_types.ts";
import { readHeader } from "../header.ts";
import { repaired } from "./check.ts";
import { CountMemory } from "./cluster_counts.ts";
import { leavesFaults } from "./repair.ts";
import { StoredCounts } from "./stored_counts.ts";
import { survey } from "./survey.ts";

const NOT_CLOSED = "the image was not closed in order";
const NOBODY_LISTENS = { report: (): void => {} };
/** So much of the refcount blocks is looked at to see whether anything counts behind the end of the file. */
const MAX_LOOKED_AT_BYTES = 16 * 1024 * 1024;

/**
 * Repairs an image that was not closed in order, so that its reference counts may be wrong; one with
 * damage that stays is left as it is.
 *
 * @returns what the user ought to know of that
 * @throws {ImageFormatError} if there is damage that cannot be repaired
 * @throws {SystemError} if it cannot be written
 */
export function repairUnclosed(file: ImageFile): string {
  const found = survey(file, readHeader(file), NOBODY_LISTENS);
  // Before anything is written.
  if (leavesFaults(file, found)) throw irreparable(file);
  const { corruptions, corruptionsFixed, leaksFixed } = repaired(file, found, {
    repair: "all",
    ...NOBODY_LISTENS,
  });
  if (corruptions > 0) throw irreparable(file);
  const what = `${corruptionsFixed} faults and ${leaksFixed} leaked clusters were repaired`;
  return `${NOT_CLOSED}: ${corruptionsFixed + leaksFixed === 0 ? "no fault was found" : what}`;
}

function irreparable({ path }: ImageFile): Error {
  const message = `${NOT_CLOSED}, and has damage that cannot be repaired`;
  return damaged(path, `${message} (--check tells of it, -r attaches it read-only)`);
}

/**
 * Refuses an image whose tables lead behind the end of its file: what is there would be other data as
 * soon as the file gets longer. In an image that was whole once, the counts tell of that: only if
 * they do, all tables are looked at.
 *
 * @throws {ImageFormatError} if it is cut off
 * @throws {SystemError} if the file cannot be read
 */
export function refuseCutOff(file: ImageFile, header: Header): void {
  if (!countsBehindEnd(file, header)) return;
  const { outsideOffset } = survey(file, header, NOBODY_LISTENS).references;
  if (outsideOffset === undefined) return;
  const message = `the file is cut off: what is at ${hex(outsideOffset)} lies behind its end`;
  throw damaged(file.path, message, outsideOffset);
}

/** Whether a cluster behind the end of the file counts as used, or there is too much to look at. */
function countsBehindEnd(file: ImageFile, header: Header): boolean {
  const { clusterBytes } = header;
  const stored = new StoredCounts(file, header, new CountMemory());
  const { clustersPerBlock, tableEntries } = stored;
  const end = Math.ceil(file.sizeBytes / clusterBytes);
  const most = Math.ceil(MAX_LOOKED_AT_BYTES / clusterBytes);
  let looked = 0;
  for (let block = Math.floor(end / clustersPerBlock); block < tableEntries; block++) {
    if (stored.blockOffset(block) === 0) continue;
    if (++looked > most) return true;
    const first = Math.max(end, block * clustersPerBlock);
    if (stored.hasCountIn(first, (block + 1) * clustersPerBlock)) return true;
  }
  return false;
}
