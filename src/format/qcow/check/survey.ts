/**
 * Counting every reference of an image, and comparing that with what its refcount blocks say.
 *
 *     header, L1 tables ──> L2 tables ──> clusters ──┐
 *     snapshots, encryption header, bitmaps ─────────┼──> references  <── compared ──>  refcount blocks
 *     refcount table and blocks ─────────────────────┘
 *
 * Each table is read once, in the order of the file, however many tables lead to it: an image whose
 * tables go round in circles takes no longer than another one of its size.
 *
 * @module
 */
import type { CheckOptions } from "../../../image/checking.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { luksPlace } from "../encryption.ts";
import type { Header } from "../header_types.ts";
import { CryptMethod, TABLE_ENTRY_BYTES } from "../layout.ts";
import { addBitmaps } from "./bitmaps.ts";
import { CountMemory } from "./cluster_counts.ts";
import { compareCounts } from "./compare.ts";
import { Entries, type Fill } from "./entries.ts";
import { Findings } from "./findings.ts";
import { L2Tables } from "./l2_tables.ts";
import { addRefcountStructures } from "./refcount_structures.ts";
import { References } from "./references.ts";
import { StoredCounts } from "./stored_counts.ts";
import { forEachTable } from "./table_pieces.ts";

/** All that is known of an image once its references have been counted. */
export interface Survey {
  readonly header: Header;
  readonly findings: Findings;
  readonly references: References;
  readonly stored: StoredCounts;
  readonly tables: L2Tables;
  readonly fill: Fill;
  /** Clusters of zeros that have a place where none can be. */
  readonly misplacedZeros: number;
  /** The last cluster that is used, or said to be. */
  readonly lastCluster: number;
}

/**
 * Looks at all of an image.
 *
 * @throws {ImageFormatError} if what all else hangs on cannot be read
 * @throws {RangeError} if that takes too much memory
 * @throws {SystemError} if the file cannot be read
 */
export function survey(
  file: ImageFile,
  header: Header,
  options: Pick<CheckOptions, "report" | "progress">,
): Survey {
  const { clusterBytes, refcounts } = header;
  const findings = new Findings(options.report);
  const memory = new CountMemory();
  const stored = new StoredCounts(file, header, memory);
  const { most } = stored.counts;
  const references = new References({ file, clusterBytes, most, findings, memory });
  const known = { file, header, findings, references, stored, memory };
  references.add(0, clusterBytes, 1);
  const tables = new L2Tables(known);
  tables.addActive();
  tables.addSnapshots();
  references.addArea(refcounts.tableOffset, refcounts.tableEntries * TABLE_ENTRY_BYTES);
  if (header.cryptMethod === CryptMethod.luks) {
    const { offset, length } = luksPlace(file, header);
    references.addArea(Number(offset), Number(length));
  }
  addBitmaps(known);
  references.settleAreas();
  const entries = new Entries(known);
  let done = 0;
  forEachTable(file, { clusterBytes, clusters: tables.times }, (view, position, cluster) => {
    const times = tables.times.get(cluster);
    entries.takeTable(view, position, times, tables.activeTimes.get(cluster));
    options.progress?.(++done / tables.count);
  });
  addRefcountStructures(known);
  const lastCluster = compareCounts({ findings, references, stored });
  findings.end();
  const { fill, misplacedZeros } = entries;
  return { header, findings, references, stored, tables, fill, misplacedZeros, lastCluster };
}
