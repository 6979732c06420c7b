/**
 * fio as the client: its NBD engine speaks to all servers alike.
 *
 * @module
 */
import { firstWrites } from "./first_writes.ts";
import type { Job } from "./jobs.ts";
import { REALTIME } from "./realtime.ts";

/** What one run of a job achieved. */
export interface FioResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Mean time from submission to completion, in microseconds. */
  readonly meanLatencyMicros: number;
  readonly p99LatencyMicros: number;
}

/** How long a run takes at most, and what it does if that is planned. */
export interface RunLimits {
  readonly seconds: number;
  /** A file of {@link firstWrites}. */
  readonly plan?: string;
}

/** The command line of one run. Every run of a job reads the same sequence of offsets. */
export function fioArguments(job: Job, uri: string, { seconds, plan }: RunLimits): string[] {
  return [
    `--name=${job.name}`,
    ...clientArguments(uri),
    `--rw=${job.pattern}`,
    `--bs=${job.blockBytes}`,
    `--iodepth=${job.depth}`,
    `--numjobs=${job.clients}`,
    "--group_reporting",
    ...(job.isFresh ? [] : ["--norandommap", "--time_based"]),
    ...(plan === undefined ? [] : [`--read_iolog=${plan}`]),
    `--runtime=${Math.round(seconds * 1000)}ms`,
    "--output-format=json",
  ];
}

/** NBD has a client in fio; a block device is read by the kernel, around its page cache. */
function clientArguments(uri: string): string[] {
  return uri.startsWith("/dev/")
    ? ["--ioengine=libaio", "--direct=1", "--readonly", `--filename=${uri}`]
    : ["--ioengine=nbd", `--uri=${uri}`];
}

interface FioDirection {
  readonly total_ios: number;
  readonly iops: number;
  readonly bw_bytes: number;
  readonly lat_ns: { readonly mean: number };
  readonly clat_ns: { readonly percentile?: Readonly<Record<string, number>> };
}

interface FioReport {
  readonly jobs: readonly {
    readonly jobname: string;
    readonly error: number;
    readonly read: FioDirection;
    readonly write: FioDirection;
    readonly trim: FioDirection;
  }[];
}

/**
 * Reads fio's JSON report of one job. Warnings before the report are passed over.
 *
 * @throws {Error} if there is no report, or if fio met an error
 */
export function parseFio(output: string): FioResult {
  const start = output.indexOf("{\n");
  if (start < 0) throw new Error(`fio printed no report: ${output.trim()}`);
  const report: FioReport = JSON.parse(output.slice(start));
  const job = report.jobs[0];
  if (job === undefined) throw new Error("fio's report has no job");
  if (job.error !== 0) throw new Error(`fio: job ${job.jobname} ended with error ${job.error}`);
  const { read, write, trim } = job;
  return resultOf([read, write].find(({ total_ios }) => total_ios > 0) ?? trim);
}

function resultOf(direction: FioDirection): FioResult {
  if (direction.total_ios === 0) throw new Error("fio: no request was completed");
  return {
    requests: direction.total_ios,
    requestsPerSecond: direction.iops,
    bytesPerSecond: direction.bw_bytes,
    meanLatencyMicros: direction.lat_ns.mean / 1000,
    p99LatencyMicros: (direction.clat_ns.percentile?.["99.000000"] ?? NaN) / 1000,
  };
}

/** Runs a job against a server. */
export async function runFio(
  job: Job,
  uri: string,
  options: { seconds: number; signal: AbortSignal; diskBytes: number; realtime: boolean },
): Promise<FioResult> {
  const { signal, seconds, diskBytes, realtime } = options;
  using plan = job.alignBytes === undefined ? undefined : new Plan(firstWrites(job, diskBytes));
  const args = fioArguments(job, uri, { seconds, ...(plan ? { plan: plan.path } : {}) });
  const [program = "", ...words] = [...(realtime ? REALTIME : []), "fio", ...args];
  const command = new Deno.Command(program, { args: words, signal });
  const { code, stdout, stderr } = await command.output();
  signal.throwIfAborted();
  const text = new TextDecoder();
  if (code !== 0) {
    throw new Error(`fio exited ${code}: ${text.decode(stderr)}${text.decode(stdout)}`);
  }
  return parseFio(text.decode(stdout));
}

/** A file for fio, for as long as it runs. */
class Plan implements Disposable {
  readonly path = Deno.makeTempFileSync({ prefix: "tslosetup-bench-" });

  constructor(text: string) {
    Deno.writeTextFileSync(this.path, text);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}
