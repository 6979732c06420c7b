/**
 * Checking an image, as `qemu-img check` does, and repairing it.
 *
 * @module
 */
import type { CheckOptions, CheckResult } from "../../../image/checking.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { damaged } from "../errors.ts";
import { type Header, readHeader } from "../header.ts";
import { Feature } from "../layout.ts";
import { HeaderMark } from "../header_mark.ts";
import { type Findings, survey } from "./survey.ts";

const NOT_CLOSED = "the image was not closed in order";
const WATCHED = { repairs: false, report: (): void => {} };
const ADVICE = "--check tells of it, -r attaches it read-only";

/**
 * Looks at all of an image's metadata, and repairs them if that is wanted. Of clusters that nobody uses, only
 * those at the end of the file can be freed.
 *
 * @throws {ImageFormatError} if what all else hangs on cannot be read
 * @throws {UnsupportedFeatureError} as {@link readHeader}
 * @throws {RangeError} if that takes too much memory
 * @throws {SystemError} if the file cannot be read, or written
 */
export function checkQed(file: ImageFile, options: CheckOptions): CheckResult {
  const header = readHeader(file);
  const { repair, report, progress } = options;
  const found = survey(file, header, { repairs: repair === "all", report, progress });
  const fixed = repair === "all" ? found.misled : 0;
  const corruptions = found.shared + found.misled - fixed;
  const leaksFixed = repair === "none" ? 0 : cutUnusedEnd(file, header, found);
  if (repair === "all" && corruptions === 0) markClosed(file, header);
  return {
    corruptions,
    leaks: found.used.unused - leaksFixed,
    corruptionsFixed: fixed,
    leaksFixed,
    imageEndOffset: found.used.end * header.clusterBytes,
    totalClusters: Math.ceil(header.sizeBytes / header.clusterBytes),
    allocatedClusters: found.allocated,
    fragmentedClusters: found.fragmented,
    compressedClusters: 0,
  };
}

/** Answers how many clusters that were: none where they may belong to what cannot be found. */
function cutUnusedEnd(
  file: ImageFile,
  { clusterBytes }: Header,
  { used, misled, shared }: Findings,
): number {
  const end = used.end * clusterBytes;
  if (misled + shared > 0 || !file.canGrow || end >= file.sizeBytes) return 0;
  const clusters = Math.floor((file.sizeBytes - end) / clusterBytes);
  file.setSize(end);
  return clusters;
}

/** What was repaired has to be durable before the image says that it is in order. */
function markClosed(file: ImageFile, header: Header): void {
  if ((header.features & Feature.needCheck) === 0n) return;
  file.sync();
  new HeaderMark(file, header).clear();
  file.sync();
}

/**
 * Sees to it that an image can be written to: one that was not closed in order is repaired.
 *
 * @returns what the user ought to know of that
 * @throws {ImageFormatError} if it has damage that cannot be repaired, or was closed in order and is damaged
 * @throws as {@link checkQed}
 */
export function readyForWriting(file: ImageFile, header: Header): string[] {
  const { misled, shared } = survey(file, header, WATCHED);
  const isUnclosed = (header.features & Feature.needCheck) !== 0n;
  if (shared > 0 || misled > 0 && !isUnclosed) {
    const message = `${shared + misled} entries of its tables are damaged: it cannot be written to`;
    throw damaged(file.path, `${message} (${ADVICE})`);
  }
  if (!isUnclosed) return [];
  const found = survey(file, header, { ...WATCHED, repairs: true });
  const freed = cutUnusedEnd(file, header, found);
  markClosed(file, header);
  const what = `${misled} faults and ${freed} leaked clusters were repaired`;
  return [`${NOT_CLOSED}: ${misled + freed === 0 ? "no fault was found" : what}`];
}
