/**
 * The benchmark's command line.
 *
 * @module
 */
import { parseArgs } from "node:util";

/** What to run, and where to put the results. */
export interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly imageMib: number;
  /** Names to run; all if empty. */
  readonly images: readonly string[];
  readonly jobs: readonly string[];
  readonly competitors: readonly string[];
  readonly binary: string;
  /** Another tslosetup to compare it to. */
  readonly before: string | undefined;
  /** Whether loop devices over FUSE are compared, rather than NBD servers. */
  readonly fuse: boolean;
  /** Whether views are compared to a loop device on a raw file instead. */
  readonly view: boolean;
  /** Whether disks with overlays are compared instead. */
  readonly overlay: boolean;
  /** Whether nbd devices in an emulated guest are compared instead. */
  readonly kernel: boolean;
  /** Whether in that guest instructions are counted instead of time. */
  readonly icount: boolean;
  /** Whether servers and client go before everything else on the machine. */
  readonly realtime: boolean;
  readonly jsonFile: string | undefined;
  readonly svgFile: string | undefined;
  readonly help: boolean;
}

export const USAGE = `Usage: deno task bench [options]

  --rounds N          rounds to take the median of (default 5)
  --seconds S         seconds per job, server and round (default 1)
  --image-mib N       virtual size of the image in MiB (default 1536, in a guest 256)
  --images A,B        only these images
  --jobs A,B          only these jobs
  --competitors A,B   these servers (default all)
  --fuse              loop devices over FUSE (servers: tslosetup-fuse,qemu-fuse); needs root
  --view              views (devices: tslosetup-view,tslosetup-fuse,loop-raw); needs root
  --overlay           overlays (servers: tslosetup-overlay,tslosetup-overlay-ram,qemu-nbd-snapshot)
  --kernel            devices in an emulated guest (tslosetup-nbd,tslosetup-view,qemu-nbd,loop-raw)
  --icount            with --kernel: one processor, and a second is 10^9 instructions
  --binary FILE       the tslosetup to measure (default dist/tslosetup)
  --before FILE       an older tslosetup: ratios are to it, tslosetup-before
  --realtime          servers and fio before all else on the machine, with pauses; needs root
  --json FILE         write all samples and their summaries to FILE
  --svg FILE          draw the ratios as a bar chart
  --smoke             one short round on a small image: does it run at all?
  --help              this text
`;

const SPEC = {
  rounds: { type: "string" },
  seconds: { type: "string" },
  "image-mib": { type: "string" },
  images: { type: "string" },
  jobs: { type: "string" },
  competitors: { type: "string" },
  fuse: { type: "boolean", default: false },
  view: { type: "boolean", default: false },
  overlay: { type: "boolean", default: false },
  kernel: { type: "boolean", default: false },
  icount: { type: "boolean", default: false },
  binary: { type: "string", default: "dist/tslosetup" },
  before: { type: "string" },
  realtime: { type: "boolean", default: false },
  json: { type: "string" },
  svg: { type: "string" },
  smoke: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const DEFAULTS = { rounds: 5, seconds: 1, imageMib: 1536 };
/** The guest has the images in its memory. */
const GUEST_IMAGE_MIB = 256;
const SMOKE = { rounds: 1, seconds: 0.2, imageMib: 64 };
/** One pattern of each kind, and one image: the rest goes the same way. */
const SMOKE_JOBS = "rand-4k-qd32,rand-4k-qd1-cold,write-rand-4k-qd1";
const SMOKE_IMAGES = "qcow2,raw";

/**
 * Reads the command line.
 *
 * @throws {Error} about unknown options and impossible values
 */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({ args: [...args], options: SPEC });
  const { fuse, view, overlay, kernel } = values;
  if ([fuse, view, overlay, kernel].filter(Boolean).length > 1) {
    throw new Error("--fuse, --view, --overlay and --kernel exclude each other");
  }
  if (values.icount && !kernel) throw new Error("--icount goes with --kernel");
  const defaults = defaultsOf(values);
  const shorten = values.smoke && !fuse && !view && !overlay && !kernel;
  return {
    rounds: Math.ceil(positive("rounds", values.rounds, defaults.rounds)),
    seconds: positive("seconds", values.seconds, defaults.seconds),
    imageMib: Math.ceil(positive("image-mib", values["image-mib"], defaults.imageMib)),
    images: names(values.images ?? (shorten ? SMOKE_IMAGES : "")),
    jobs: names(values.jobs ?? (shorten ? SMOKE_JOBS : "")),
    competitors: names(values.competitors ?? ""),
    fuse,
    view,
    overlay,
    kernel,
    icount: values.icount,
    binary: values.binary,
    before: values.before,
    realtime: values.realtime,
    jsonFile: values.json,
    svgFile: values.svg,
    help: values.help,
  };
}

function defaultsOf({ smoke, kernel }: { smoke: boolean; kernel: boolean }): typeof DEFAULTS {
  if (smoke) return SMOKE;
  return kernel ? { ...DEFAULTS, imageMib: GUEST_IMAGE_MIB } : DEFAULTS;
}

function positive(name: string, text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (!(value > 0 && value < Infinity)) throw new Error(`--${name} takes a positive number`);
  return value;
}

function names(text: string): string[] {
  return text.split(",").filter((name) => name !== "");
}

/**
 * The members of `known` that are asked for by name, in the order asked for; all if none is.
 *
 * @throws {Error} if one is not known
 */
export function selected<T extends { readonly name: string }>(
  known: readonly T[],
  wanted: readonly string[],
): readonly T[] {
  if (wanted.length === 0) return known;
  return wanted.map((name) => {
    const match = known.find((entry) => entry.name === name);
    if (match) return match;
    throw new Error(`no ${name} among ${known.map((entry) => entry.name).join(", ")}`);
  });
}
