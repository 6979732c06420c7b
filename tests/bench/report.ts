/**
 * From samples to what people and programs read.
 *
 * @module
 */
import { type Column, formatTable } from "../../src/cli/listing/table.ts";
import type { Sample } from "./rounds.ts";
import { median, type Ratio, ratioPerRound } from "./stats.ts";

/** The rounds of one job against one server, condensed: medians, and the ratio to the baseline. */
export interface Summary {
  readonly image: string;
  readonly job: string;
  readonly competitor: string;
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly meanLatencyMicros: number;
  readonly p99LatencyMicros: number;
  readonly cpuMicrosPerRequest: number;
  readonly residentBytes: number;
  /** Requests per second, round by round. */
  readonly speeds: readonly number[];
  /** Requests per second compared to the baseline's in the same round; `null` without a baseline. */
  readonly ratio: Ratio | null;
}

/** Condenses samples, in the order in which image, job and competitor first appear. */
export function summarize(samples: readonly Sample[], baseline: string): Summary[] {
  const groups = Map.groupBy(samples, groupKey);
  return [...groups.values()].map((group) => {
    const reference = group[0] && groups.get(groupKey({ ...group[0], competitor: baseline }));
    return summaryOf(group, reference);
  }).filter((summary) => summary !== undefined);
}

function groupKey({ image, job, competitor }: Sample): string {
  return [image, job, competitor].join("\n");
}

function summaryOf(
  group: readonly Sample[],
  baseline: readonly Sample[] | undefined,
): Summary | undefined {
  const [first] = group;
  if (first === undefined) return undefined;
  const middle = (figure: (sample: Sample) => number): number => median(group.map(figure));
  return {
    image: first.image,
    job: first.job,
    competitor: first.competitor,
    requestsPerSecond: middle((sample) => sample.requestsPerSecond),
    bytesPerSecond: middle((sample) => sample.bytesPerSecond),
    meanLatencyMicros: middle((sample) => sample.meanLatencyMicros),
    p99LatencyMicros: middle((sample) => sample.p99LatencyMicros),
    cpuMicrosPerRequest: middle((sample) => sample.cpuMicrosPerRequest),
    residentBytes: middle((sample) => sample.residentBytes),
    speeds: speeds(group),
    ratio: baseline ? ratioPerRound(speeds(group), speeds(baseline)) : null,
  };
}

/** Requests per second, by round: the rounds were run in turns, not in the same order. */
function speeds(group: readonly Sample[]): number[] {
  return group.toSorted((a, b) => a.round - b.round).map((sample) => sample.requestsPerSecond);
}

const COLUMNS: readonly Column[] = [
  { heading: "IMAGE", align: "left" },
  { heading: "JOB", align: "left" },
  { heading: "SERVER", align: "left" },
  { heading: "IOPS", align: "right" },
  { heading: "MiB/s", align: "right" },
  { heading: "MEAN-µs", align: "right" },
  { heading: "P99-µs", align: "right" },
  { heading: "CPU-µs/REQ", align: "right" },
  { heading: "RSS-MB", align: "right" },
  { heading: "RATIO", align: "right" },
  { heading: "(LOWEST-HIGHEST)", align: "right" },
];

/** A table for people. RATIO is the median of the per-round ratios to the baseline. */
export function formatSummaries(summaries: readonly Summary[]): string {
  return formatTable(COLUMNS, summaries.map(cells));
}

function cells(summary: Summary): string[] {
  const { ratio } = summary;
  return [
    summary.image,
    summary.job,
    summary.competitor,
    summary.requestsPerSecond.toFixed(0),
    (summary.bytesPerSecond / 2 ** 20).toFixed(1),
    summary.meanLatencyMicros.toFixed(1),
    summary.p99LatencyMicros.toFixed(1),
    fixed(summary.cpuMicrosPerRequest, 1),
    fixed(summary.residentBytes / 1e6, 0),
    ratio ? ratio.median.toFixed(2) : "-",
    ratio ? `(${ratio.lowest.toFixed(2)}-${ratio.highest.toFixed(2)})` : "-",
  ];
}

/** A figure in so many places; a dash where there is no process to measure. */
export function fixed(value: number, places: number): string {
  return Number.isNaN(value) ? "-" : value.toFixed(places);
}
