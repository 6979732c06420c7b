/**
 * Taking, applying and deleting snapshots. Nothing that the image has is written over: all that changes
 * gets a place where nothing was, and one write of the header switches to it.
 *
 *     1. survey: every reference is counted; an image with faults is left as it is
 *     2. the new table of snapshots, where nothing was
 *     3. survey once more, as if the header said so already: the right counts of then
 *     4. new refcount blocks and table, a new L1 table, copies of the disk's L2 tables whose COPIED
 *        flags change, all where nothing was ── sync
 *     5. one write of the header ── sync
 *     6. what nothing refers to any more is given back to the file system
 *
 * What a crash leaves:
 *
 *     before 5      the image as it was: what has been written counts as free with the old counts, so
 *                   that nothing is leaked. The file may be longer.
 *     in 5          as before, or as after: the fields lie in one sector, which no crash tears
 *     after 5       the image as it is to be: with the new counts, the old tables and counts are free.
 *                   The file system may still keep space for them, until they are used again.
 *
 * So that the COPIED flags never say "used once" of what is used twice: flags and counts are switched
 * together. The tables that the disk had become the snapshot's as they are:
 *
 *     create   disk ──> L1 ──> L2 ──> clusters        disk ──> L1' ──> L2' ──┐
 *                                               ───>                         v
 *                                                 snapshot ──> L1 ──> L2 ──> clusters
 *
 * An L2 table in which no flag changes is not copied: both use it. Apply is the same with the snapshot's
 * L1 table in place of the disk's, which is not counted any more, nor is what only that leads to; delete
 * does not count the snapshot's.
 *
 * @module
 */
import type { SnapshotChange } from "../../../image/snapshot_change.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { repairUnclosed } from "../check/before_writing.ts";
import { FreshClusters } from "../check/fresh_clusters.ts";
import { build, restoringSize } from "../check/rebuild.ts";
import { RightCounts } from "../check/right_counts.ts";
import { type Survey, survey } from "../check/survey.ts";
import { damaged } from "../errors.ts";
import { readHeader } from "../header.ts";
import type { Header, SnapshotTable } from "../header_types.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { HeaderWriter } from "../write/header_writer.ts";
import { giveBackFreed } from "./freed.ts";
import { planChange, type PlannedChange } from "./plan.ts";

const NOBODY_LISTENS = { report: (): void => {} };
const CHECKABLE = "--check tells of it";

/**
 * Changes the snapshots of an image that nobody else has open; needs no key, and no other file.
 *
 * @throws {RangeError} if the image cannot have it so; nothing of it has been changed then
 * @throws {ImageFormatError} if it is damaged, or has no such snapshot; likewise
 * @throws {UnsupportedFeatureError} as {@link readHeader}
 * @throws {SystemError} if it cannot be written: unless that is the header, the image is as it was
 */
export function changeSnapshots(file: ImageFile, change: SnapshotChange): void {
  const { corrupt, dirty } = readHeader(file);
  if (corrupt) throw damaged(file.path, `the image is marked as corrupt (${CHECKABLE})`);
  if (dirty) repairUnclosed(file);
  switchSnapshots(file, change);
}

/**
 * As {@link changeSnapshots}, of an image whose counts on the disk are right, or too high: whoever has
 * it open has made all changes durable, makes none meanwhile, and reads all tables anew.
 */
export function switchSnapshots(file: ImageFile, change: SnapshotChange): void {
  const header = readHeader(file);
  const found = surveyWithoutFaults(file, header);
  const planned = planChange(file, header, change);
  const writer = new HeaderWriter(file, header);
  const { after, counts, fields } = restoringSize(file, () => {
    const snapshots = writeTable(file, found, planned);
    const after = survey(file, { ...planned.header, snapshots }, NOBODY_LISTENS);
    const counts = new RightCounts(after);
    refuseUncountable(counts);
    const fields = build(file, after, counts);
    // Not before it is certain that it can be done: what is refused is left as it is.
    if (planned.changesDisk) writer.clearAutoclear();
    else writer.clearUnknownAutoclear();
    return { after, counts, fields };
  });
  const { header: { sizeBytes, snapshots } } = after;
  writer.set({
    ...fields,
    size: BigInt(sizeBytes),
    nb_snapshots: snapshots.entries,
    snapshots_offset: BigInt(snapshots.offset),
  });
  giveBackFreed(file, after, counts);
}

function surveyWithoutFaults(file: ImageFile, header: Header): Survey {
  const found = survey(file, header, NOBODY_LISTENS);
  if (found.findings.corruptions === 0) return found;
  throw damaged(file.path, `the image has faults, and is left as it is (${CHECKABLE})`);
}

/** Writes the table, whole clusters of it, to where nothing was. */
function writeTable(file: ImageFile, found: Survey, { table }: PlannedChange): SnapshotTable {
  if (table === undefined) return found.header.snapshots;
  if (table.entries === 0) return { offset: 0, entries: 0 };
  const { clusterBytes } = found.header;
  const clusters = Math.ceil(table.bytes.length / clusterBytes);
  const first = new FreshClusters(file, clusterBytes, new RightCounts(found)).take(clusters);
  const buffer = new IoBuffer(clusters * clusterBytes);
  buffer.bytes.set(table.bytes);
  file.write(buffer, 0, first * clusterBytes, buffer.size);
  return { offset: first * clusterBytes, entries: table.entries };
}

/** Before anything refers to more than can be counted. */
function refuseUncountable(counts: RightCounts): void {
  for (const cluster of counts.used()) {
    if (counts.referencesTo(cluster) <= counts.most) continue;
    const most = counts.most === 1 ? "once" : `${counts.most} times`;
    throw new RangeError(
      `its reference counts have so few bits that clusters are used ${most} at most`,
    );
  }
}
