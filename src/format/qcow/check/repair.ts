/**
 * Repairing an image: what is counted too high is lowered where it is; whatever else can be put right
 * is built anew, and takes the place of the old at once.
 *
 * @module
 */
import type { CheckOptions, Repair } from "../../../image/checking.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { HeaderWriter } from "../write/header_writer.ts";
import { freeBehindEnd } from "./behind_end.ts";
import { CopiedFlags } from "./copied_flags.ts";
import { putL1Right, readL1 } from "./l1_table.ts";
import { lowerCounts } from "./lower_counts.ts";
import { dropMisplacedZeros, keepsMisplacedZeros } from "./misplaced_zeros.ts";
import { rebuild } from "./rebuild.ts";
import { RightCounts } from "./right_counts.ts";
import { type Survey, survey } from "./survey.ts";
import { forEachTable } from "./table_pieces.ts";

const NO_COPIES: ReadonlyMap<number, number> = new Map();
const KEPT = "Leaked clusters are kept: they may belong to what leads nowhere";
const NEEDS_ALL = "Some counts can only be put right by building all of them anew (all, not leaks)";

/** What is wanted of a repair. */
export interface RepairOptions extends CheckOptions {
  readonly repair: Exclude<Repair, "none">;
}

/** Whether a repair of all leaves some of the faults; throws {@link SystemError} if it cannot be read. */
export function leavesFaults(file: ImageFile, found: Survey): boolean {
  return found.findings.areLasting || keepsMisplacedZeros(file, found);
}

/**
 * Repairs an image in which `found` has been found.
 *
 * @returns whether anything has been changed
 * @throws {SystemError} if it cannot be written
 */
export function repair(file: ImageFile, found: Survey, options: RepairOptions): boolean {
  const { needsRebuild, isPartlyUnreadable, corruptions, leaks } = found.findings;
  if (!needsRebuild && !isPartlyUnreadable) repairBehindEnd(file, found, options);
  return (corruptions > 0 || leaks > 0) && repairFaults(file, found, options);
}

function repairBehindEnd(file: ImageFile, found: Survey, options: RepairOptions): void {
  const freed = freeBehindEnd(file, found);
  if (freed > 0) options.report(`Freed ${freed} clusters behind the end of the file`);
}

function repairFaults(file: ImageFile, found: Survey, options: RepairOptions): boolean {
  const { findings, header } = found;
  new HeaderWriter(file, header).clearUnknownAutoclear();
  if (findings.isPartlyUnreadable && findings.leaks > 0) options.report(KEPT);
  const onlyFlags = findings.corruptions === findings.flagFaults && !findings.needsRebuild;
  if (options.repair === "all" || onlyFlags) return repairAll(file, found);
  if (findings.needsRebuild) options.report(NEEDS_ALL);
  if (findings.needsRebuild || findings.isPartlyUnreadable) return false;
  lowerCounts(file, found, new RightCounts(found));
  return findings.leaks > 0;
}

function repairAll(file: ImageFile, found: Survey): boolean {
  if (found.misplacedZeros > 0) {
    dropMisplacedZeros(file, found);
    const rest = survey(file, found.header, { report: () => {} });
    repairCounts(file, rest);
    return true;
  }
  return repairCounts(file, found);
}

function repairCounts(file: ImageFile, found: Survey): boolean {
  const counts = new RightCounts(found);
  if (
    found.findings.needsRebuild || hasTooLow(found, counts) || hasWrongEntries(file, found, counts)
  ) {
    rebuild(file, found, counts);
    return true;
  }
  const { leaks, isPartlyUnreadable } = found.findings;
  if (leaks === 0 || isPartlyUnreadable) return false;
  lowerCounts(file, found, counts);
  return true;
}

/** Whether a cluster counts as used less often than it has to. */
function hasTooLow({ stored }: Survey, counts: RightCounts): boolean {
  for (const cluster of counts.used()) if (stored.get(cluster) < counts.get(cluster)) return true;
  return false;
}

/** Whether a table of the disk has flags that do not fit to the right counts. */
function hasWrongEntries(file: ImageFile, found: Survey, counts: RightCounts): boolean {
  const { header, tables } = found;
  const { clusterBytes } = header;
  const flags = new CopiedFlags(header, counts);
  let hasWrong = isL1Wrong(file, found, counts);
  forEachTable(file, { clusterBytes, clusters: tables.activeTimes }, (view, position) => {
    hasWrong ||= flags.putRight(view, position);
  });
  return hasWrong;
}

function isL1Wrong(file: ImageFile, { header }: Survey, counts: RightCounts): boolean {
  return putL1Right(readL1(file, header), header.clusterBytes, { counts, copies: NO_COPIES });
}
