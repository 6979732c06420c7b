/**
 * What the guest is to measure, and what it has measured: the two texts that go in and come out.
 *
 * @module
 */
import { fioArguments, parseFio } from "./fio.ts";
import type { BenchImage } from "./images.ts";
import type { Job } from "./jobs.ts";
import { cpuSecondsIn, residentBytesIn } from "./process_usage.ts";
import type { Sample } from "./rounds.ts";

/** One way to a block device; guest_init.sh attaches all of them. */
export interface KernelDevice {
  readonly name: string;
  readonly device: string;
}

/** The device all others are compared to. */
export const KERNEL_BASELINE = "qemu-nbd";

/** All devices, with one image in qcow2, or its contents as they are. */
export const KERNEL_DEVICES: readonly KernelDevice[] = [
  { name: "tslosetup-nbd", device: "/dev/nbd0" },
  { name: "tslosetup-view", device: "/dev/loop1" },
  { name: KERNEL_BASELINE, device: "/dev/nbd1" },
  { name: "loop-raw", device: "/dev/loop0" },
];

/** What is measured, and how. */
export interface GuestPlan {
  readonly image: BenchImage;
  /** The compiled tslosetup. */
  readonly binary: string;
  readonly jobs: readonly Job[];
  readonly devices: readonly KernelDevice[];
  readonly rounds: number;
  readonly seconds: number;
  /** Whether a second is 10^9 instructions of a single processor, whoever executes them. */
  readonly countsInstructions: boolean;
}

/** Thrown away: all that is read for the first time is read in it. */
const WARM_UP = -1;

/** What a run may take besides its seconds: starting and ending are slow where all is emulated. */
const FIO_SECONDS = 60;

/** The plan as guest_init.sh sources it: every other round in reverse, as without a guest. */
export function planText(plan: GuestPlan): string {
  const { image, binary, rounds } = plan;
  const files = { program: binary, qcow2: image.path, raw: image.rawPath };
  const lines = Object.entries(files).map(([name, path]) => `${name}=${quoted(path)}`);
  lines.push(`fio_limit=${fioLimitSeconds(plan)}`, "prepare");
  for (let round = WARM_UP; round < rounds; round++) {
    const what = round === WARM_UP ? "round to warm up" : `round ${round + 1} of ${rounds}`;
    lines.push(`say ${quoted(`${image.name}: ${what}`)}`, ...linesOf(round, plan));
  }
  return `${lines.join("\n")}\n`;
}

/** How long one run of fio may take. */
function fioLimitSeconds({ seconds }: GuestPlan): number {
  return Math.ceil(seconds) + FIO_SECONDS;
}

/** How many times fio is run. */
export function runsOf({ rounds, jobs, devices }: GuestPlan): number {
  return (rounds - WARM_UP) * jobs.length * devices.length;
}

function linesOf(round: number, { jobs, devices, seconds }: GuestPlan): string[] {
  const order = round % 2 === 0 ? devices : devices.toReversed();
  return jobs.flatMap((job) =>
    order.map(({ name, device }) => {
      const args = [round, job.name, name, device, ...fioArguments(job, device, { seconds })];
      return `measure ${args.map(String).map(quoted).join(" ")}`;
    })
  );
}

function quoted(text: string): string {
  return /^[\w./=:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Whether the guest got to the end of its plan. */
export function isComplete(results: string): boolean {
  return results.trimEnd().endsWith("\n@end");
}

/**
 * The samples in the guest's results, without those of the warm-up.
 *
 * @throws {Error} if fio met an error
 */
export function parseResults(results: string, image: string): Sample[] {
  const sections = results.replace(/^@end$/m, "").split(/^@run /m).slice(1);
  return sections.map((section) => sampleOf(section, image))
    .filter(({ round }) => round !== WARM_UP);
}

function sampleOf(section: string, image: string): Sample {
  const [head = ""] = section.split("\n", 1);
  const [round, job = "", competitor = ""] = head.split(" ");
  const result = parseFio(section);
  const spent = cpuSecondsAt("after", section) - cpuSecondsAt("before", section);
  return {
    ...{ image, job, competitor, round: Number(round) },
    ...result,
    cpuMicrosPerRequest: spent * 1e6 / result.requests,
    residentBytes: residentBytesIn(section),
  };
}

/** Processor time of the server by then; `NaN` where the kernel does it all. */
function cpuSecondsAt(moment: "before" | "after", section: string): number {
  return cpuSecondsIn(new RegExp(`^@${moment} (.*)$`, "m").exec(section)?.[1] ?? "");
}
