// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { must } from "../support/tools.ts";
import {
  type GuestPlan,
  isComplete,
  KERNEL_DEVICES,
  parseResults,
  planText,
} from "./guest_plan.ts";
import { DEVICE_JOBS } from "./jobs.ts";

const PLAN: GuestPlan = {
  image: {
    name: "qcow2",
    path: "/tmp/it's here/disk.qcow2",
    format: "qcow2",
    rawPath: "/tmp/disk.raw",
    sizeBytes: 2 ** 20,
    files: [],
    isWritten: false,
  },
  binary: "/opt/a b/tslosetup",
  jobs: DEVICE_JOBS.slice(0, 1),
  devices: KERNEL_DEVICES,
  rounds: 2,
  seconds: 0.5,
  countsInstructions: false,
};

/** What a shell that sources the plan calls, one line for each call. */
async function callsOf(plan: string): Promise<string[]> {
  const functions = `prepare() { echo "prepare|$program|$qcow2|$raw"; }
    say() { echo "say|$1"; }
    measure() { echo "$1|$2|$3|$4"; }`;
  return (await must("bash", "-c", `${functions}\n${plan}`)).trimEnd().split("\n");
}

Deno.test("planText() has bash run every round, in turns, after one to warm up", async () => {
  assertEquals(await callsOf(planText(PLAN)), [
    "prepare|/opt/a b/tslosetup|/tmp/it's here/disk.qcow2|/tmp/disk.raw",
    "say|qcow2: round to warm up",
    "-1|rand-4k-qd1|loop-raw|/dev/loop0",
    "-1|rand-4k-qd1|qemu-nbd|/dev/nbd1",
    "-1|rand-4k-qd1|tslosetup-view|/dev/loop1",
    "-1|rand-4k-qd1|tslosetup-nbd|/dev/nbd0",
    "say|qcow2: round 1 of 2",
    "0|rand-4k-qd1|tslosetup-nbd|/dev/nbd0",
    "0|rand-4k-qd1|tslosetup-view|/dev/loop1",
    "0|rand-4k-qd1|qemu-nbd|/dev/nbd1",
    "0|rand-4k-qd1|loop-raw|/dev/loop0",
    "say|qcow2: round 2 of 2",
    "1|rand-4k-qd1|loop-raw|/dev/loop0",
    "1|rand-4k-qd1|qemu-nbd|/dev/nbd1",
    "1|rand-4k-qd1|tslosetup-view|/dev/loop1",
    "1|rand-4k-qd1|tslosetup-nbd|/dev/nbd0",
  ]);
});

function fioReport(requests: number, error = 0): string {
  const read = {
    total_ios: requests,
    iops: requests / 2,
    bw_bytes: requests * 2048,
    lat_ns: { mean: 71_000 },
    clat_ns: { percentile: { "99.000000": 250_000 } },
  };
  const write = { total_ios: 0 };
  return JSON.stringify({ jobs: [{ jobname: "j", error, read, write }] }, null, 2);
}

/** A line of /proc/PID/stat of which only user and system time count. */
function stat(user: number, system: number): string {
  return `151 (tslosetup) S 1 151 151 0 -1 5767424 11845 0 0 0 ${user} ${system} 0 0 20 0 4 0 4061`;
}

const RESULTS = `@run -1 rand tslosetup-nbd
@before ${stat(0, 0)}
@after ${stat(1, 1)}
VmRSS:	   1 kB
${fioReport(7)}
@run 0 rand tslosetup-nbd
@before ${stat(100, 50)}
@after ${stat(150, 100)}
VmRSS:	   50000 kB
${fioReport(1000)}
@run 0 rand loop-raw
@before 
@after 

${fioReport(2000)}
`;

Deno.test("parseResults() has every run but the warm-up, and no processor time without a server", () => {
  const result = { meanLatencyMicros: 71, p99LatencyMicros: 250 };
  assertEquals(parseResults(`${RESULTS}@end\n`, "qcow2"), [
    {
      ...{ image: "qcow2", job: "rand", competitor: "tslosetup-nbd", round: 0, ...result },
      ...{ requests: 1000, requestsPerSecond: 500, bytesPerSecond: 2_048_000 },
      ...{ cpuMicrosPerRequest: 1000, residentBytes: 51_200_000 },
    },
    {
      ...{ image: "qcow2", job: "rand", competitor: "loop-raw", round: 0, ...result },
      ...{ requests: 2000, requestsPerSecond: 1000, bytesPerSecond: 4_096_000 },
      ...{ cpuMicrosPerRequest: NaN, residentBytes: NaN },
    },
  ]);
});

Deno.test("parseResults() refuses a run that met an error", () => {
  const failed = `@run 0 rand qemu-nbd\n@before \n@after \n\n${fioReport(10, 5)}\n`;
  assertThrows(() => parseResults(failed, "qcow2"), Error, "error 5");
});

Deno.test("isComplete() is for results that end with the end", () => {
  assert(isComplete(`${RESULTS}@end\n`));
  assert(!isComplete(RESULTS));
  assert(!isComplete(""));
});
