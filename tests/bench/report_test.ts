// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { drawChart } from "./chart.ts";
import { formatSummaries, summarize } from "./report.ts";
import type { Sample } from "./rounds.ts";
import { formatTargets } from "./targets.ts";

function sample(competitor: string, round: number, requestsPerSecond: number): Sample {
  return {
    image: "qcow2",
    job: "rand",
    competitor,
    round,
    requests: requestsPerSecond * 2,
    requestsPerSecond,
    bytesPerSecond: requestsPerSecond * 4096,
    meanLatencyMicros: 1e6 / requestsPerSecond,
    p99LatencyMicros: 2e6 / requestsPerSecond,
    cpuMicrosPerRequest: 12.5,
    residentBytes: 50e6,
  };
}

// As they are taken: every other round in reverse.
const SAMPLES = [
  sample("ours", 0, 300),
  sample("theirs", 0, 100),
  sample("theirs", 1, 50),
  sample("ours", 1, 200),
  sample("ours", 2, 500),
  sample("theirs", 2, 100),
];

Deno.test("summarize() takes medians, and the ratio from equal rounds", () => {
  const [ours, theirs, ...more] = summarize(SAMPLES, "theirs");
  assertEquals(more, []);
  assertEquals(ours?.competitor, "ours");
  assertEquals(ours?.requestsPerSecond, 300);
  assertEquals(ours?.ratio, { median: 4, lowest: 3, highest: 5 });
  assertEquals(theirs?.ratio, { median: 1, lowest: 1, highest: 1 });
});

Deno.test("summarize() has no ratio where the baseline did not run", () => {
  assertEquals(summarize(SAMPLES, "absent").map(({ ratio }) => ratio), [null, null]);
});

Deno.test("formatSummaries() prints a line for each job and server", () => {
  const lines = formatSummaries(summarize(SAMPLES, "theirs")).trimEnd().split("\n");
  assertEquals(lines.length, 3);
  assertMatch(lines[1] ?? "", /^qcow2 rand ours +300 .* 12\.5 +50 +4\.00 +\(3\.00-5\.00\)$/);
});

Deno.test("drawChart() draws a bar for each image, labelled with its ratio", () => {
  const ours = summarize(SAMPLES, "theirs").filter(({ competitor }) => competitor === "ours");
  const svg = drawChart(ours, { title: "ours & theirs", subtitle: "a < b" });
  assertMatch(svg, /^<svg [^>]*>[^]*<\/svg>\n$/);
  assertMatch(svg, />ours &amp; theirs<[^]*>a &lt; b<[^]*>rand<[^]*>4\.0</);
  // 560 pixels for 5 times the baseline: the highest round
  assertMatch(svg, /<rect x='190' y='81' width='448\.0'/);
});

Deno.test("formatTargets() tells what is reached and what is missed", () => {
  const measured = SAMPLES.flatMap((sample) => [
    { ...sample, job: "seq-1m-qd4" },
    { ...sample, job: "seq-128k-qd8", image: "zlib", requestsPerSecond: 1 },
    { ...sample, job: "unknown" },
  ]);
  const lines = formatTargets(summarize(measured, "theirs"), "ours").trimEnd().split("\n");
  assertEquals(lines.length, 3);
  assertMatch(lines[1] ?? "", /^qcow2 seq-1m-qd4 +baseline +4\.00 +1\.90 reached$/);
  assertMatch(lines[2] ?? "", /^zlib +seq-128k-qd8 +baseline +1\.00 +3\.00 missed$/);
});
