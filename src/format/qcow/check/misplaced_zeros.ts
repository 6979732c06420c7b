/**
 * Clusters that read as zeros, whose entry names a place where no cluster can be: what is there does
 * not matter, so the place goes. Each entry lies in one sector, and is right before or after.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { EntryDecoder } from "../l2.ts";
import {
  EXTENDED_ENTRY_BYTES,
  L2_COMPRESSED_HIGH,
  L2_ZERO_LOW,
  OFFSET_MASK_HIGH,
  OFFSET_MASK_LOW,
  TABLE_ENTRY_BYTES,
} from "../layout.ts";
import type { Survey } from "./survey.ts";
import { forEachTable } from "./table_pieces.ts";

/** Where the bits of subclusters that have bytes are in an extended entry. */
const ALLOCATED_BITS_OFFSET = 12;

/** Takes their places from all of them that can be changed; throws as {@link ImageFile.write}. */
export function dropMisplacedZeros(file: ImageFile, survey: Survey): void {
  const { clusterBytes, extendedL2 } = survey.header;
  const entry = new IoBuffer(TABLE_ENTRY_BYTES);
  // Of extended entries, the bits say which parts are zeros: they stay.
  if (!extendedL2) entry.view.setUint32(4, L2_ZERO_LOW);
  forEachMisplaced(file, survey, (cluster, at) => {
    if (canChange(survey, cluster)) {
      file.write(entry, 0, cluster * clusterBytes + at, TABLE_ENTRY_BYTES);
    }
  });
  file.sync();
}

/** Whether there are some that cannot be changed; throws as {@link ImageFile.read}. */
export function keepsMisplacedZeros(file: ImageFile, survey: Survey): boolean {
  let keeps = false;
  if (survey.misplacedZeros > 0) {
    forEachMisplaced(file, survey, (cluster) => keeps ||= !canChange(survey, cluster));
  }
  return keeps;
}

/** A table that is something else, too, is not changed. */
function canChange({ references, tables }: Survey, cluster: number): boolean {
  return references.counts.get(cluster) <= tables.times.get(cluster);
}

/** Calls `take` with which cluster's table each is in, and where in it. */
function forEachMisplaced(
  file: ImageFile,
  survey: Survey,
  take: (cluster: number, at: number) => void,
): void {
  const { header: { clusterBytes, extendedL2 }, tables } = survey;
  const entryBytes = extendedL2 ? EXTENDED_ENTRY_BYTES : TABLE_ENTRY_BYTES;
  forEachTable(file, { clusterBytes, clusters: tables.times }, (view, position, cluster) => {
    for (let at = 0; at < clusterBytes; at += entryBytes) {
      if (isMisplaced(view, position + at, survey)) take(cluster, at);
    }
  });
}

function isMisplaced(view: DataView, at: number, { header, references }: Survey): boolean {
  const high = view.getUint32(at);
  const low = view.getUint32(at + 4);
  if ((high & L2_COMPRESSED_HIGH) !== 0) return false;
  if (((high & OFFSET_MASK_HIGH) | (low & OFFSET_MASK_LOW)) === 0) return false;
  const needsNone = header.extendedL2
    ? view.getUint32(at + ALLOCATED_BITS_OFFSET) === 0
    : (low & L2_ZERO_LOW) !== 0;
  if (!needsNone) return false;
  const { clusterBytes, hasDataFile } = header;
  const offset = new EntryDecoder(header).hostOffset(high, low);
  if (offset % clusterBytes !== 0) return true;
  return !hasDataFile && !references.isInFile(offset, clusterBytes);
}
