// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { formatSummaries, summarize } from "./report.ts";
import type { Sample } from "./rounds.ts";

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
