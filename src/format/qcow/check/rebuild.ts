/**
 * A new L1 table, new refcount blocks and a new refcount table, and new copies of L2 tables with wrong
 * flags: all where nothing was before. One write of the header has them take the place of the old ones.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { ifPossible } from "../../../sys/errno.ts";
import type { Fields } from "../header_types.ts";
import { HeaderWriter } from "../write/header_writer.ts";
import { CopiedFlags } from "./copied_flags.ts";
import { FreshClusters } from "./fresh_clusters.ts";
import { putL1Right, readL1 } from "./l1_table.ts";
import { RefcountBuilder } from "./refcount_builder.ts";
import type { RightCounts } from "./right_counts.ts";
import type { Survey } from "./survey.ts";
import { forEachTable } from "./table_pieces.ts";

/**
 * Builds all of it anew; crashes leave the image as it was, or repaired.
 *
 * @throws {SystemError} if it cannot be written; unless that is the header, nothing has changed then
 */
export function rebuild(file: ImageFile, survey: Survey, counts: RightCounts): void {
  const fields = restoringSize(file, () => build(file, survey, counts));
  new HeaderWriter(file, survey.header).set(fields);
}

/**
 * Builds all of it, durably.
 *
 * @returns what the header has to say for it to take the place of the old
 * @throws {SystemError} if it cannot be written
 */
export function build(file: ImageFile, survey: Survey, counts: RightCounts): Partial<Fields> {
  const { header } = survey;
  const { clusterBytes } = header;
  counts.releaseStructures(header);
  const fresh = new FreshClusters(file, clusterBytes, counts);
  const copies = copyTables(file, survey, { counts, fresh });
  const l1 = readL1(file, header);
  putL1Right(l1, clusterBytes, { copies, counts });
  const l1Offset = writeL1(file, l1, { clusterBytes, fresh });
  const table = new RefcountBuilder(file, header, { counts, fresh }).build();
  file.sync();
  return {
    l1_size: header.l1AllEntries,
    l1_table_offset: BigInt(l1Offset),
    refcount_table_offset: BigInt(table.hostOffset),
    refcount_table_clusters: table.clusters,
  };
}

/** If `act` fails, what has been added to the file goes. */
export function restoringSize<T>(file: ImageFile, act: () => T): T {
  const before = file.sizeBytes;
  try {
    return act();
  } catch (error) {
    if (file.canGrow && file.sizeBytes > before) ifPossible(() => file.setSize(before));
    throw error;
  }
}

interface Means {
  readonly counts: RightCounts;
  readonly fresh: FreshClusters;
}

/** Copies the disk's tables that change, or lie where something else is; returns where, by cluster. */
function copyTables(
  file: ImageFile,
  { header, tables }: Survey,
  { counts, fresh }: Means,
): Map<number, number> {
  const { clusterBytes } = header;
  const copies = new Map<number, number>();
  const { activeTimes } = tables;
  const copy = (cluster: number): void => {
    const references = activeTimes.get(cluster);
    counts.change(cluster, -references);
    copies.set(cluster, fresh.take(1, references));
  };
  for (const cluster of activeTimes.clusters()) {
    if (counts.referencesTo(cluster) > tables.times.get(cluster)) copy(cluster);
  }
  const flags = new CopiedFlags(header, counts);
  const table = new IoBuffer(clusterBytes);
  forEachTable(file, { clusterBytes, clusters: activeTimes }, (view, position, cluster) => {
    const isWrong = flags.putRight(view, position);
    if (isWrong && !copies.has(cluster)) copy(cluster);
    const to = copies.get(cluster);
    if (to === undefined) return;
    const start = view.byteOffset + position;
    table.bytes.set(new Uint8Array(view.buffer, start, clusterBytes));
    file.write(table, 0, to * clusterBytes, clusterBytes);
  });
  return copies;
}

function writeL1(
  file: ImageFile,
  l1: IoBuffer,
  { clusterBytes, fresh }: { readonly clusterBytes: number; readonly fresh: FreshClusters },
): number {
  const clusters = Math.ceil(l1.size / clusterBytes);
  if (clusters === 0) return 0;
  const hostOffset = fresh.take(clusters) * clusterBytes;
  const whole = new IoBuffer(clusters * clusterBytes);
  whole.bytes.set(l1.bytes);
  file.write(whole, 0, hostOffset, whole.size);
  return hostOffset;
}
