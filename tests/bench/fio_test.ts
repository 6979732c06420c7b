// @ts-types="../support/std_assert.d.ts"
import { assertArrayIncludes, assertEquals, assertThrows } from "@std/assert";
import { fioArguments, parseFio } from "./fio.ts";
import type { Job } from "./jobs.ts";

const JOB: Job = {
  name: "j",
  pattern: "randread",
  blockBytes: 4096,
  depth: 32,
  clients: 2,
  cache: "hot",
  images: ["qcow2"],
};

function direction(requests: number): Record<string, unknown> {
  return {
    total_ios: requests,
    iops: requests / 2,
    bw_bytes: requests * 2048,
    lat_ns: { mean: 71_000 },
    clat_ns: requests > 0 ? { percentile: { "50.000000": 60_000, "99.000000": 250_000 } } : {},
  };
}

interface Report {
  readonly reads: number;
  readonly writes?: number;
  readonly trims?: number;
  readonly error?: number;
}

function output({ reads, writes = 0, trims = 0, error = 0 }: Report): string {
  const [read, write, trim] = [reads, writes, trims].map(direction);
  const job = { jobname: "j", error, read, write, trim };
  return JSON.stringify({ "fio version": "fio-3.33", jobs: [job] }, null, 2);
}

Deno.test("parseFio() reads the direction that was used", () => {
  const expected = {
    requests: 1000,
    requestsPerSecond: 500,
    bytesPerSecond: 2_048_000,
    meanLatencyMicros: 71,
    p99LatencyMicros: 250,
  };
  assertEquals(parseFio(output({ reads: 1000 })), expected);
  assertEquals(parseFio(output({ reads: 0, writes: 1000 })), expected);
  assertEquals(parseFio(output({ reads: 0, trims: 1000 })), expected);
});

Deno.test("parseFio() passes over warnings before the report", () => {
  assertEquals(parseFio(`fio: this {is} a note\n${output({ reads: 10 })}`).requests, 10);
});

Deno.test("parseFio() refuses what is not a measurement", () => {
  assertThrows(() => parseFio("fio: cannot connect"), Error, "no report: fio: cannot connect");
  assertThrows(() => parseFio('{\n"jobs": []}'), Error, "no job");
  assertThrows(() => parseFio(output({ reads: 10, error: 5 })), Error, "error 5");
  assertThrows(() => parseFio(output({ reads: 0 })), Error, "no request");
});

Deno.test("fioArguments() carries over everything a job says", () => {
  const args = fioArguments(JOB, "nbd+unix:///?socket=/s", { seconds: 0.5 });
  const expected = ["--rw=randread", "--bs=4096", "--iodepth=32", "--numjobs=2", "--runtime=500ms"];
  assertArrayIncludes(args, ["--uri=nbd+unix:///?socket=/s", "--time_based", ...expected]);
  const first = { ...JOB, alignBytes: 65536, flushEvery: 8, isFresh: true } as const;
  const limits = { seconds: 0.5, plan: "/plan" };
  const more = fioArguments(first, "nbd+unix:///?socket=/s", limits);
  assertArrayIncludes(more, ["--read_iolog=/plan", ...expected]);
  assertEquals(more.includes("--time_based"), false);
});
