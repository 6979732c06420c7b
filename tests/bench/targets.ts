/**
 * What the project means to reach, and whether it does.
 *
 * @module
 */
import { formatTable } from "../../src/cli/listing/table.ts";
import { OURS, REFERENCE } from "./competitors.ts";
import type { Summary } from "./report.ts";
import { median } from "./stats.ts";

/** A figure that has to be at least (or at most) so much compared to another server's. */
interface Target {
  readonly images: readonly string[];
  readonly jobs: readonly string[];
  /** Compared to the baseline. */
  readonly atLeast: number;
  /** Compared to the C reference. */
  readonly ofReference?: number;
  /** Compared to tslosetup as it is by default. */
  readonly ofPlain?: number;
}

const SMALL_QD1 = ["seq-512-qd1", "seq-4k-qd1", "rand-512-qd1", "rand-4k-qd1"];
const COMPRESSED = ["zlib", "zstd"];

const TARGETS: readonly Target[] = [
  { images: ["qcow2"], jobs: SMALL_QD1, atLeast: 3.0, ofReference: 0.85 },
  { images: COMPRESSED, jobs: ["seq-512-qd1", "seq-4k-qd1"], atLeast: 3.5 },
  { images: COMPRESSED, jobs: ["rand-512-qd1", "rand-4k-qd1"], atLeast: 2.0 },
  { images: ["qcow2"], jobs: ["rand-4k-qd32"], atLeast: 3.3, ofReference: 0.9 },
  { images: ["qcow2"], jobs: ["seq-128k-qd8"], atLeast: 4.5 },
  { images: ["qcow2"], jobs: ["seq-1m-qd4"], atLeast: 1.9 },
  { images: ["zlib"], jobs: ["rand-4k-qd32"], atLeast: 1.8 },
  { images: ["zlib"], jobs: ["seq-128k-qd8"], atLeast: 3.0 },
  { images: ["vmdk-stream"], jobs: ["seq-128k-qd8", "seq-1m-qd4"], atLeast: 2.0 },
  { images: ["raw"], jobs: ["write-rand-4k-qd1"], atLeast: 3.0 },
  { images: ["raw"], jobs: ["write-rand-4k-qd32"], atLeast: 3.3 },
  {
    images: ["w-full"],
    jobs: ["write-rand-4k-qd1", "write-rand-4k-qd32"],
    atLeast: 1.0,
    ofReference: 0.85,
  },
  { images: ["w-full"], jobs: ["write-seq-1m-qd4"], atLeast: 2.0 },
  { images: ["w-full"], jobs: ["trim-64k-qd1"], atLeast: 1.5 },
  { images: ["w-empty", "w-overlay"], jobs: ["first-rand-4k-qd1"], atLeast: 2.0 },
  { images: ["w-empty", "w-overlay"], jobs: ["first-rand-4k-qd32"], atLeast: 3.0 },
  {
    images: ["w-zlib", "w-snapshot"],
    jobs: ["first-rand-4k-qd1", "first-rand-4k-qd32"],
    atLeast: 3.0,
  },
  { images: ["w-empty"], jobs: ["first-seq-1m-qd4", "first-rand-4k-flush8"], atLeast: 1.5 },
  { images: ["w-empty"], jobs: ["first-rand-4k-flush1"], atLeast: 1.0 },
  { images: ["w-empty"], jobs: ["first-rand-4k-flush32"], atLeast: 2.0 },
  {
    images: ["qcow2", "zlib"],
    jobs: ["rand-4k-qd1-cold", "rand-4k-qd32-cold", "seq-128k-qd8-cold"],
    atLeast: 1.0,
  },
];

/** Of views, compared to the loop driver on a raw file. */
export const VIEW_TARGETS: readonly Target[] = [
  {
    images: ["qcow2"],
    jobs: ["rand-4k-qd1", "rand-4k-qd32", "seq-128k-qd8", "seq-1m-qd4"],
    atLeast: 0.85,
  },
];

/** Of overlays, compared to qemu-nbd --snapshot, and to reading without one. */
export const OVERLAY_TARGETS: readonly Target[] = [
  { images: ["qcow2", "zlib"], jobs: ["write-rand-4k-qd1"], atLeast: 2.0 },
  { images: ["qcow2", "zlib"], jobs: ["write-rand-4k-qd32"], atLeast: 3.0 },
  {
    images: ["qcow2", "zlib"],
    jobs: ["rand-4k-qd1", "rand-4k-qd32", "seq-128k-qd8"],
    atLeast: 1.0,
    ofPlain: 0.95,
  },
];

/** Compares our figures to the targets: a table for people; empty if none was measured. */
export function formatTargets(
  summaries: readonly Summary[],
  competitor: string,
  targets: readonly Target[] = TARGETS,
): string {
  const rows = targets.flatMap((target) => rowsOf(target, summaries, competitor));
  if (rows.length === 0) return "";
  return formatTable([
    { heading: "IMAGE", align: "left" },
    { heading: "JOB", align: "left" },
    { heading: "AGAINST", align: "left" },
    { heading: "RATIO", align: "right" },
    { heading: "TARGET", align: "right" },
    { heading: "", align: "left" },
  ], rows);
}

function rowsOf(target: Target, summaries: readonly Summary[], competitor: string): string[][] {
  const { images, jobs, atLeast } = target;
  const others = [[REFERENCE, target.ofReference], [OURS, target.ofPlain]] as const;
  return images.flatMap((image) =>
    jobs.flatMap((job) => {
      const of = (name: string): Summary | undefined =>
        summaries.find((row) => row.image === image && row.job === job && row.competitor === name);
      const ours = of(competitor);
      const rows = [];
      if (ours?.ratio) rows.push([image, job, "baseline", ...verdict(ours.ratio.median, atLeast)]);
      for (const [name, wanted] of others) {
        const other = of(name);
        if (ours === undefined || other === undefined || wanted === undefined) continue;
        const ratio = median(ours.speeds.map((speed, n) => speed / (other.speeds[n] ?? NaN)));
        rows.push([image, job, name, ...verdict(ratio, wanted)]);
      }
      return rows;
    })
  );
}

function verdict(ratio: number, target: number): string[] {
  return [ratio.toFixed(2), target.toFixed(2), ratio >= target ? "reached" : "missed"];
}
