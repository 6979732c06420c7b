/**
 * Compares NBD servers: `deno task bench`. See README.md in this folder.
 *
 * @module
 */
import { must } from "../support/tools.ts";
import { BASELINE, type Competitor, competitors } from "./competitors.ts";
import { FUSE_BASELINE, FUSE_JOBS, fuseCompetitors } from "./fuse_competitors.ts";
import { type BenchImage, prepareImages } from "./images.ts";
import { type Job, JOBS } from "./jobs.ts";
import { type Options, parseOptions, selected, USAGE } from "./options.ts";
import { formatSummaries, summarize } from "./report.ts";
import { measure, type Plan, type Sample } from "./rounds.ts";

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function bench(options: Options, signal: AbortSignal): Promise<void> {
  const { known, knownJobs, baseline } = suiteOf(options);
  const jobs = selected(knownJobs, options.jobs);
  const taking = selected(known, options.competitors);
  for (const { missing } of taking) refuse(missing());
  say(`preparing images of ${options.imageMib} MiB`);
  const images = await prepareImages(options.imageMib);

  const samples: Sample[] = [];
  for (const image of images) {
    signal.throwIfAborted();
    const progress = (round: number): void =>
      say(`${image.name}: round ${round + 1} of ${options.rounds}`);
    const plan: Plan = { rounds: options.rounds, seconds: options.seconds, signal };
    samples.push(...await measure(image, jobs, { ...plan, competitors: taking, progress }));
  }
  await report(samples, { options, images, baseline });
}

/** NBD servers, or block devices over FUSE. */
function suiteOf({ binary, fuse }: Options): {
  readonly known: readonly Competitor[];
  readonly knownJobs: readonly Job[];
  readonly baseline: string;
} {
  return fuse
    ? { known: fuseCompetitors(binary), knownJobs: FUSE_JOBS, baseline: FUSE_BASELINE }
    : { known: competitors(binary), knownJobs: JOBS, baseline: BASELINE };
}

function refuse(reason: string | undefined): void {
  if (reason !== undefined) throw new Error(reason);
}

async function report(
  samples: readonly Sample[],
  context: { options: Options; images: readonly BenchImage[]; baseline: string },
): Promise<void> {
  const { options, images, baseline } = context;
  const summaries = summarize(samples, baseline);
  const heading = `Median of ${options.rounds} rounds of ${options.seconds} s; ` +
    `RATIO: IOPS compared to ${baseline}, round by round`;
  Deno.stdout.writeSync(new TextEncoder().encode(`${heading}\n${formatSummaries(summaries)}`));
  if (options.jsonFile === undefined) return;
  const { rounds, seconds } = options;
  const sizes = Object.fromEntries(images.map((image) => [image.name, image.sizeBytes]));
  const results = {
    settings: { rounds, seconds, imageBytes: sizes, baseline },
    machine: await machine(),
    summaries,
    samples,
  };
  await Deno.writeTextFile(options.jsonFile, `${JSON.stringify(results, null, 2)}\n`);
}

/** What the figures depend on besides the programs. */
async function machine(): Promise<Record<string, string | number>> {
  const model = /^model name\s*:\s*(.*)$/m.exec(await Deno.readTextFile("/proc/cpuinfo"))?.[1];
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: model ?? Deno.build.arch,
    processors: navigator.hardwareConcurrency,
    kernel: Deno.osRelease(),
    qemu: (await must("qemu-img", "--version")).split("\n")[0] ?? "",
    fio: (await must("fio", "--version")).trim(),
  };
}

/** Runs, and lets SIGINT and SIGTERM end the run with all servers stopped. */
async function main(): Promise<number> {
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort(new Error("interrupted"));
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, interrupt);
  try {
    const options = parseOptions(Deno.args);
    if (options.help) say(USAGE);
    else await bench(options, interruption.signal);
    return 0;
  } catch (error) {
    say(`bench: ${error instanceof Error ? error.message : error}`);
    return interruption.signal.aborted ? 130 : 1;
  }
}

if (import.meta.main) Deno.exit(await main());
