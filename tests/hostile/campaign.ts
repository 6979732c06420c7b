/**
 * Attacks on every feature, each in a process of its own that is watched: it must not crash, nor
 * hang, nor take much memory.
 *
 * @module
 */
import { PATIENCE_MS } from "../support/patience.ts";
import { TempDirectory } from "../support/tools.ts";
import { makeVictim, victimNames } from "./victims.ts";

/** Processor time for one image; a busy machine may take longer by the clock. */
const HANG_SECONDS = 5;
/** Of /proc/PID/stat (proc(5)); so many to a second everywhere. */
const CLOCK_TICKS = 100;
const RUN = ["run", "--quiet", "--no-check", "--allow-all", "--v8-flags=--expose-gc"];
const LARGEST_GROWTH_BYTES = 256 * 1024 * 1024;

/** How an attack has ended. */
export interface Outcome {
  readonly feature: string;
  readonly attempts: number;
  readonly seconds: number;
  readonly grownBytes: number;
  /** What went wrong; undefined if nothing did. */
  readonly fault: string | undefined;
}

/** What is attacked, and how often. */
export interface Campaign {
  /** Hostile images of each feature. */
  readonly count: number;
  /** Of the first one; the others follow. */
  readonly seed: number;
  /** All that there are, if none is named. */
  readonly features: readonly string[];
}

/**
 * Makes hostile images and has them opened and read, as many features at a time as there are
 * processors.
 */
export async function campaign(
  { count, seed, features: wanted }: Campaign,
  onOutcome: (outcome: Outcome) => void,
): Promise<void> {
  const features = (wanted.length > 0 ? wanted : victimNames()).values();
  const processors = Array.from({ length: navigator.hardwareConcurrency }, async () => {
    for (const feature of features) onOutcome(await attack(feature, count, seed));
  });
  await Promise.all(processors);
}

async function attack(feature: string, attempts: number, seed: number): Promise<Outcome> {
  using directory = new TempDirectory();
  const folder = prepare(directory);
  const path = await makeVictim(folder, feature);
  // Somebody else's, so that it may name nothing but what is in its folder.
  Deno.chmodSync(path, 0o666);
  const start = performance.now();
  const args = [folder, feature, `${attempts}`, `${seed}`];
  const watched = await new Watched(args).end();
  const seconds = (performance.now() - start) / 1000;
  return { feature, attempts, seconds, ...watched };
}

/** A folder for the image, and beside it what the image must not show. */
function prepare(directory: TempDirectory): string {
  const folder = directory.file("folder");
  const outside = directory.file("outside");
  Deno.mkdirSync(`${folder}/sub`, { recursive: true });
  Deno.mkdirSync(outside);
  Deno.writeFileSync(`${outside}/secret`, new Uint8Array(65536).fill(0xa7));
  Deno.symlinkSync(`${outside}/secret`, `${folder}/link`);
  return folder;
}

/** The process of one attack. */
class Watched {
  readonly #process: Deno.ChildProcess;
  #lastSign = performance.now();
  #cpuAtLastSign = 0;
  #started = false;
  #survived = 0;
  #firstBytes = 0;
  #mostBytes = 0;
  #hangs = false;

  constructor(args: readonly string[]) {
    const script = new URL("./attack.ts", import.meta.url).pathname;
    this.#process = new Deno.Command(Deno.execPath(), {
      args: [...RUN, script, ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  async end(): Promise<Pick<Outcome, "grownBytes" | "fault">> {
    const watch = setInterval(() => this.#look(), 100);
    try {
      const errors = new Response(this.#process.stderr).text();
      await this.#follow();
      const { code, signal } = await this.#process.status;
      const grownBytes = Math.max(0, this.#mostBytes - this.#firstBytes);
      return { grownBytes, fault: this.#fault(code, signal, grownBytes, await errors) };
    } finally {
      clearInterval(watch);
    }
  }

  async #follow(): Promise<void> {
    const lines = this.#process.stdout.pipeThrough(new TextDecoderStream());
    for await (const text of lines) {
      this.#lastSign = performance.now();
      this.#cpuAtLastSign = this.#cpuSeconds();
      this.#survived = Number(text.trim().split("\n").at(-1));
      if (!this.#started) this.#firstBytes = this.#residentBytes();
      this.#started = true;
    }
  }

  #look(): void {
    this.#mostBytes = Math.max(this.#mostBytes, this.#residentBytes());
    const isOver = performance.now() - this.#lastSign > PATIENCE_MS;
    const isStuck = this.#started && this.#cpuSeconds() - this.#cpuAtLastSign > HANG_SECONDS;
    if (this.#hangs || !(isOver || isStuck)) return;
    this.#hangs = true;
    this.#process.kill("SIGKILL");
  }

  #residentBytes(): number {
    return Number(/VmRSS:\s+(\d+) kB/.exec(this.#inProc("status"))?.[1] ?? 0) * 1024;
  }

  #cpuSeconds(): number {
    const stat = this.#inProc("stat");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [utime = 0, stime = 0] = fields.slice(11, 13).map(Number);
    return (utime + stime) / CLOCK_TICKS;
  }

  /** A text that the kernel has for the process; empty once it has ended. */
  #inProc(name: string): string {
    try {
      return Deno.readTextFileSync(`/proc/${this.#process.pid}/${name}`);
    } catch {
      return "";
    }
  }

  #fault(
    code: number,
    signal: Deno.Signal | null,
    grownBytes: number,
    errors: string,
  ): string | undefined {
    if (this.#hangs) return `hangs after ${this.#survived}`;
    if (code !== 0) return `crashes after ${this.#survived}: ${signal ?? code}: ${errors}`;
    return grownBytes > LARGEST_GROWTH_BYTES ? `takes ${grownBytes} bytes of memory` : undefined;
  }
}
