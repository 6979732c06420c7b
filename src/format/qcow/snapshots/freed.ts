/**
 * Giving back to the file system what a change of snapshots has freed.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { SystemError } from "../../../sys/errno.ts";
import type { RightCounts } from "../check/right_counts.ts";
import type { Survey } from "../check/survey.ts";

const FALLOC_FL_KEEP_SIZE = 0x01;
const FALLOC_FL_PUNCH_HOLE = 0x02;

/**
 * Punches clusters that had a count, and have none any more, durably. That it cannot be done only means
 * that the file stays as large as it is.
 */
export function giveBackFreed(
  file: ImageFile,
  { header, stored }: Survey,
  counts: RightCounts,
): void {
  const { clusterBytes } = header;
  let [first, end] = [0, 0];
  for (const cluster of stored.counts.clusters()) {
    if (counts.get(cluster) > 0) continue;
    if (cluster !== end) {
      punch(file, first * clusterBytes, (end - first) * clusterBytes);
      first = cluster;
    }
    end = cluster + 1;
  }
  punch(file, first * clusterBytes, (end - first) * clusterBytes);
}

function punch(file: ImageFile, hostOffset: number, lengthBytes: number): void {
  if (lengthBytes === 0) return;
  try {
    file.allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, hostOffset, lengthBytes);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
}
