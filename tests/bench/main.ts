/**
 * Compares NBD servers: `deno task bench`. See README.md in this folder.
 *
 * @module
 */
import { must } from "../support/tools.ts";
import { drawChart } from "./chart.ts";
import { BASELINE, BEFORE, type Competitor, competitors, OURS } from "./competitors.ts";
import { FUSE_BASELINE, fuseCompetitors } from "./fuse_competitors.ts";
import { findKernel, measureInGuest } from "./guest.ts";
import { KERNEL_BASELINE, KERNEL_DEVICES } from "./guest_plan.ts";
import type { ImageName } from "./image_recipes.ts";
import { type BenchImage, prepareImages } from "./images.ts";
import { DEVICE_JOBS, type Job, JOBS, OVERLAY_JOBS, VIEW_JOBS } from "./jobs.ts";
import { formatLifeCycles, type LifeCycle, measureLifeCycles } from "./lifecycle.ts";
import { OVERLAY, OVERLAY_BASELINE, overlayCompetitors } from "./overlay_competitors.ts";
import { type Options, parseOptions, selected, USAGE } from "./options.ts";
import { formatSummaries, summarize, type Summary } from "./report.ts";
import { measure, type Plan, type Sample } from "./rounds.ts";
import { formatTargets, OVERLAY_TARGETS, VIEW_TARGETS } from "./targets.ts";
import { VIEW, VIEW_BASELINE, viewCompetitors } from "./view_competitors.ts";

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function bench(options: Options, signal: AbortSignal): Promise<void> {
  if (options.kernel) return await benchInGuest(options, signal);
  const { known, knownJobs, baseline, targets } = suiteOf(options);
  const jobs = selected(knownJobs, options.jobs);
  const taking = participants(known, options.competitors);
  say(`preparing images of ${options.imageMib} MiB`);
  const images = await prepareImages(options.imageMib, imagesOf(jobs, options.images));

  const samples: Sample[] = [];
  for (const image of images) {
    signal.throwIfAborted();
    const progress = (round: number): void =>
      say(`${image.name}: round ${round + 1} of ${options.rounds}`);
    const { rounds, seconds, realtime } = options;
    const plan: Plan = { rounds, seconds, realtime, signal };
    const its = jobs.filter(({ images }) => images.includes(image.name));
    samples.push(...await measure(image, its, { ...plan, competitors: taking, progress }));
  }
  const first = images.find(({ isWritten }) => !isWritten) ?? images[0];
  const lives = first === undefined ? [] : await measureLifeCycles(first, taking, options.rounds);
  await report(samples, { options, images, baseline, lives, targets });
}

/** The kernel's nbd devices, which not every machine has: one guest for each image. */
async function benchInGuest(options: Options, signal: AbortSignal): Promise<void> {
  const { rounds, seconds } = options;
  const jobs = selected(DEVICE_JOBS, options.jobs);
  const devices = selected(KERNEL_DEVICES, options.competitors);
  const binary = realPathOf(options.binary);
  const kernel = findKernel();
  say(`preparing images of ${options.imageMib} MiB`);
  const images = await prepareImages(options.imageMib, imagesOf(jobs, options.images));

  const samples: Sample[] = [];
  for (const image of images) {
    const countsInstructions = options.icount;
    const plan = { image, binary, jobs, devices, rounds, seconds, countsInstructions };
    samples.push(...await measureInGuest(plan, { kernel, signal, say }));
  }
  const counted = options.icount
    ? "an emulated processor, IOPS: reads in 10^9 instructions"
    : "two emulated processors: only ratios count";
  const guest = `Linux ${kernel.version}, ${counted}; ` +
    "loop-raw: the loop driver alone, direct I/O, on a raw file";
  await report(samples, { options, images, baseline: KERNEL_BASELINE, lives: [], guest });
}

function realPathOf(binary: string): string {
  try {
    return Deno.realPathSync(binary);
  } catch {
    throw new Error(`${binary} is missing: run \`deno task compile\``);
  }
}

/** Those asked for, which have to be there; else whichever are there. */
function participants(
  known: readonly Competitor[],
  wanted: readonly string[],
): readonly Competitor[] {
  const taking = selected(known, wanted);
  return taking.filter(({ name, missing }) => {
    const reason = missing();
    if (reason === undefined) return true;
    if (wanted.includes(name) || taking[0]?.name === name) throw new Error(reason);
    say(`without ${name}: ${reason}`);
    return false;
  });
}

/** The images that some job is for, or those of them that are asked for. */
function imagesOf(jobs: readonly Job[], wanted: readonly string[]): readonly ImageName[] {
  const known = [...new Set(jobs.flatMap(({ images }) => images))].map((name) => ({ name }));
  return selected(known, wanted).map(({ name }) => name);
}

/** What is compared, how, and to what. */
interface Suite {
  readonly known: readonly Competitor[];
  readonly knownJobs: readonly Job[];
  readonly baseline: string;
  /** Our figures against what is meant to be reached. */
  readonly targets: (summaries: readonly Summary[]) => string;
}

/** NBD servers, block devices over FUSE, views, or overlays. */
function suiteOf({ binary, before, fuse, view, overlay }: Options): Suite {
  const targets = (summaries: readonly Summary[]): string => formatTargets(summaries, OURS);
  if (view) {
    return {
      known: viewCompetitors(binary),
      knownJobs: VIEW_JOBS,
      baseline: VIEW_BASELINE,
      targets: (summaries) => formatTargets(summaries, VIEW, VIEW_TARGETS),
    };
  }
  if (overlay) {
    return {
      known: overlayCompetitors(binary),
      knownJobs: OVERLAY_JOBS,
      baseline: OVERLAY_BASELINE,
      targets: (summaries) => formatTargets(summaries, OVERLAY, OVERLAY_TARGETS),
    };
  }
  if (fuse) {
    const known = fuseCompetitors(binary);
    return { known, knownJobs: DEVICE_JOBS, baseline: FUSE_BASELINE, targets };
  }
  const known = competitors(binary, before);
  if (before === undefined) return { known, knownJobs: JOBS, baseline: BASELINE, targets };
  // What is aimed at, is aimed at against others.
  return { known, knownJobs: JOBS, baseline: BEFORE, targets: () => "" };
}

async function report(
  samples: readonly Sample[],
  context: {
    readonly options: Options;
    readonly images: readonly BenchImage[];
    readonly baseline: string;
    readonly lives: readonly LifeCycle[];
    readonly targets?: Suite["targets"];
    /** What the guest was, if it was in a guest. */
    readonly guest?: string;
  },
): Promise<void> {
  const { options, images, baseline, lives, targets, guest } = context;
  const summaries = summarize(samples, baseline);
  const heading = `Median of ${options.rounds} rounds of ${options.seconds} s; ` +
    `RATIO: IOPS compared to ${baseline}, round by round`;
  print(`${heading}\n${guest === undefined ? "" : `${guest}\n`}${formatSummaries(summaries)}`);
  if (lives.length > 0) print(`\n${formatLifeCycles(lives)}`);
  const verdicts = targets?.(summaries) ?? "";
  if (verdicts !== "") print(`\n${verdicts}`);
  if (options.svgFile !== undefined) await draw(options.svgFile, summaries, heading);
  if (options.jsonFile === undefined) return;
  const { rounds, seconds } = options;
  const sizes = Object.fromEntries(images.map((image) => [image.name, image.sizeBytes]));
  const results = {
    settings: { rounds, seconds, imageBytes: sizes, baseline, guest },
    machine: await machine(),
    summaries,
    lives,
    samples,
  };
  await Deno.writeTextFile(options.jsonFile, `${JSON.stringify(results, null, 2)}\n`);
}

async function draw(file: string, summaries: readonly Summary[], how: string): Promise<void> {
  const { date, processor, processors } = await machine();
  const ours = summaries.filter(({ competitor, ratio }) => competitor === OURS && ratio !== null);
  const title = `Throughput of tslosetup compared to ${BASELINE}`;
  const subtitle = `${how.split(";")[0]}; ${processors} × ${processor}, ${date}`;
  await Deno.writeTextFile(file, drawChart(ours, { title, subtitle }));
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
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
