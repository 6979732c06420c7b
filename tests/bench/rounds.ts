/**
 * The measurement itself: every round runs every job against every server, alternately, so that a
 * machine that grows slower or busier does so for all of them.
 *
 * @module
 */
import type { Competitor, Server } from "./competitors.ts";
import { type FioResult, runFio } from "./fio.ts";
import { type BenchImage, chill, copyFor, warm } from "./images.ts";
import type { Job } from "./jobs.ts";
import { usageOf } from "./process_usage.ts";
import { letOthersRun, makeRealtime } from "./realtime.ts";

/** One run of one job against one server. */
export interface Sample extends FioResult {
  readonly image: string;
  readonly job: string;
  readonly competitor: string;
  readonly round: number;
  /** User and system time the server spent on each request. */
  readonly cpuMicrosPerRequest: number;
  /** The server's resident memory right after the run. */
  readonly residentBytes: number;
}

/** How long to measure, and how to stop early. */
export interface Plan {
  readonly rounds: number;
  readonly seconds: number;
  /** Whether servers and client go before everything else on the machine. */
  readonly realtime: boolean;
  readonly signal: AbortSignal;
}

/** Servers that all serve the same image; stopped at the end of the scope. */
class Servers implements AsyncDisposable {
  readonly #folder = Deno.makeTempDirSync({ prefix: "tslosetup-bench-" });
  readonly #running: { name: string; server: Server }[] = [];

  async start(competitor: Competitor, image: BenchImage): Promise<void> {
    const { name, knowsQcow } = competitor;
    const own = image.isWritten ? await copyFor(name, image, knowsQcow ? "own" : "raw") : image;
    this.#running.push({ name, server: await competitor.start(own, `${this.#folder}/${name}`) });
  }

  /** All of them, every other round in reverse: nobody always comes first. */
  inOrderOf(round: number): readonly { name: string; server: Server }[] {
    return round % 2 === 0 ? this.#running : this.#running.toReversed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#running.map(({ server }) => server.stop()));
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

/** Measures `jobs` on one image. Calls `progress` before each round. */
export async function measure(
  image: BenchImage,
  jobs: readonly Job[],
  options: Plan & { competitors: readonly Competitor[]; progress: (round: number) => void },
): Promise<Sample[]> {
  await using servers = new Servers();
  for (const competitor of options.competitors) await servers.start(competitor, image);
  await makeHot(image);
  await runRound(-1, { image, jobs, servers, plan: options });

  const samples: Sample[] = [];
  for (let round = 0; round < options.rounds; round++) {
    options.progress(round);
    samples.push(...await runRound(round, { image, jobs, servers, plan: options }));
  }
  return samples;
}

/** Serves an image of its own to one run. */
async function runFresh(job: Job, name: string, setting: Setting): Promise<Figures> {
  const { image, plan } = setting;
  const competitor = competitorOf(name, setting);
  await using servers = new Servers();
  await servers.start({ ...competitor, name: `${name}-fresh` }, image);
  const [{ server } = {}] = servers.inOrderOf(0);
  if (server === undefined) throw new Error(`${name} does not run`);
  return await runOnce(job, server, { ...plan, diskBytes: image.sizeBytes });
}

function competitorOf(name: string, { plan }: Setting): Competitor {
  const competitor = plan.competitors.find((one) => one.name === name);
  if (competitor === undefined) throw new Error(`no ${name}`);
  return competitor;
}

interface Setting {
  readonly image: BenchImage;
  readonly jobs: readonly Job[];
  readonly servers: Servers;
  readonly plan: Plan & { readonly competitors: readonly Competitor[] };
}

function isWrite({ pattern }: Job): boolean {
  return pattern !== "read" && pattern !== "randread";
}

async function runRound(round: number, setting: Setting): Promise<Sample[]> {
  const samples: Sample[] = [];
  const { image } = setting;
  for (const job of setting.jobs) {
    for (const { name, server } of setting.servers.inOrderOf(round)) {
      if (isWrite(job) && !image.isWritten && !competitorOf(name, setting).isCovered) continue;
      // Of a raw file, there are other things to be done.
      if (job.pattern === "randtrim" && !competitorOf(name, setting).knowsQcow) continue;
      if (job.cache === "cold") await makeCold(image);
      const figures = job.isFresh
        ? await runFresh(job, name, setting)
        : await runOnce(job, server, { ...setting.plan, diskBytes: image.sizeBytes });
      samples.push({
        image: image.name,
        job: job.name,
        competitor: name,
        round,
        ...figures,
      });
    }
    if (job.cache === "cold") await makeHot(image);
  }
  return samples;
}

async function makeHot({ files, rawPath }: BenchImage): Promise<void> {
  for (const file of new Set([...files, rawPath])) await warm(file);
}

async function makeCold({ files, rawPath }: BenchImage): Promise<void> {
  for (const file of new Set([...files, rawPath])) await chill(file);
}

type Figures = Omit<Sample, "image" | "job" | "competitor" | "round">;

async function runOnce(
  job: Job,
  server: Server,
  plan: Plan & { readonly diskBytes: number },
): Promise<Figures> {
  if (plan.realtime) {
    await letOthersRun(plan.seconds);
    if (server.pid !== undefined) await makeRealtime(server.pid);
  }
  const before = usageOf(server.pid);
  const result = await runFio(job, server.uri, plan);
  const after = usageOf(server.pid);
  const cpuMicros = (after.cpuSeconds - before.cpuSeconds) * 1e6;
  return {
    ...result,
    cpuMicrosPerRequest: cpuMicros / result.requests,
    residentBytes: after.residentBytes,
  };
}
