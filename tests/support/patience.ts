/**
 * Waiting in tests. What is waited for may take as long as it takes: the machine may be slow, shared or
 * busy. Only what no machine takes so long for is given up, so that a test that hangs fails.
 *
 * @module
 */
import process from "node:process";

/** After so long, what is waited for will not come any more. */
export const PATIENCE_MS = 600_000;
const PAUSE_MS = 5;
/** Idle is who uses less than three hundredths of a second in a second. */
const IDLE_WINDOW_MS = 1000;
const IDLE_TICKS = 3;

/**
 * Waits until `condition` holds.
 *
 * @param what named in the error, as in "waited in vain for the daemon to end"
 */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  for (const waiting = new Waiting(what); !condition(); waiting.goOn()) await pause(PAUSE_MS);
}

/** As {@link eventually}, for what `condition` itself brings forward: without a pause. */
export function turnUntil(condition: () => boolean, what: string): void {
  for (const waiting = new Waiting(what); !condition();) waiting.goOn();
}

/** As {@link eventually}, for what takes steps of its own: each of them is followed by `goOn`. */
export class Waiting {
  readonly #what: string;
  readonly #deadline = performance.now() + PATIENCE_MS;

  constructor(what: string) {
    this.#what = what;
  }

  /** @throws {Error} if it has taken too long */
  goOn(): void {
    if (performance.now() > this.#deadline) throw new Error(`waited in vain for ${this.#what}`);
  }
}

/** Waits until a process uses next to no processor time, of which V8 always takes some. */
export async function becomesIdle(pid: number): Promise<void> {
  const waiting = new Waiting(`process ${pid} to become idle`);
  for (let before = processorTicks(pid);; waiting.goOn()) {
    await pause(IDLE_WINDOW_MS);
    const now = processorTicks(pid);
    if (now - before < IDLE_TICKS) return;
    before = now;
  }
}

/** User and system time of a process, in hundredths of a second: fields 14 and 15 of /proc/PID/stat. */
export function processorTicks(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** A command that is killed once it has certainly hung; its exit code is 124 or 137 then. */
export function patiently(...command: readonly string[]): string[] {
  return ["timeout", "--kill-after=1", `${PATIENCE_MS / 1000}`, ...command];
}

/** Processor time that this process has used: what a busy machine does meanwhile does not count. */
export function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
