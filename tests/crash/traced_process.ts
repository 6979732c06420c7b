/**
 * Having a call of a process that runs already end it, or fail: by strace, from outside.
 *
 * @module
 */
import { eventually, pause } from "../support/patience.ts";

/** By which an image is changed. */
export const CALLS = [
  "pwrite64",
  "pwritev",
  "pwritev2",
  "fallocate",
  "ftruncate",
  "fdatasync",
  "fsync",
] as const;

/** Strace may take two seconds to leave a process. */
const PARTING_WAITS = 200;
const WAIT_MS = 10;
const SLOW_SYNCS = "inject=fdatasync:delay_enter=20000";

/** What becomes of one call. */
export interface Injection {
  readonly call: typeof CALLS[number];
  /** Of the calls that each thread makes: from 1 on. */
  readonly number: number;
  readonly effect: "signal=SIGKILL" | "error=EIO" | "error=ENOSPC";
}

/** A process that is traced until the end of the scope, or its own. */
export class TracedProcess implements AsyncDisposable {
  readonly #strace: Deno.ChildProcess;
  readonly #log: string;
  #hasEnded = false;

  private constructor(strace: Deno.ChildProcess, log: string) {
    this.#strace = strace;
    this.#log = log;
    strace.status.then(() => this.#hasEnded = true);
  }

  /** Only logs. */
  static trace(pid: number, log: string): Promise<TracedProcess> {
    return TracedProcess.#start(pid, log, ["-f"]);
  }

  /** Logs what each thread does in a file of its own, whose name begins with `log`. */
  static traceThreads(pid: number, log: string): Promise<TracedProcess> {
    return TracedProcess.#start(pid, log, ["-ff", "-s", "0"]);
  }

  /** Has one call go wrong. */
  static inject(pid: number, log: string, injection: Injection): Promise<TracedProcess> {
    const { call, number, effect } = injection;
    return TracedProcess.#start(pid, log, ["-f", "-e", `inject=${call}:${effect}:when=${number}`]);
  }

  /** Has a call that has been made return a second later. */
  static slowReturn(pid: number, log: string, call: Injection["call"]): Promise<TracedProcess> {
    return TracedProcess.#start(pid, log, ["-f", "-e", `inject=${call}:delay_exit=1000000`]);
  }

  /** Has syncs take their time, and part of the reads that may not wait be such that would have to. */
  static slowDown(pid: number, log: string): Promise<TracedProcess> {
    const reads = "inject=preadv2:error=EAGAIN:when=2+2";
    return TracedProcess.#start(pid, log, ["-f", "-e", SLOW_SYNCS, "-e", reads], ["preadv2"]);
  }

  static async #start(
    pid: number,
    log: string,
    how: readonly string[],
    others: readonly string[] = [],
  ): Promise<TracedProcess> {
    const calls = [...CALLS, ...others].join();
    const args = ["-qq", "-o", log, "-p", `${pid}`, "-e", `trace=${calls}`, ...how];
    const strace = new Deno.Command("strace", { args, stdin: "null", stderr: "null" }).spawn();
    const traced = new TracedProcess(strace, log);
    await eventually(() => traced.#hasEnded || isTraced(pid), "strace to attach");
    if (traced.#hasEnded) throw new Error("strace has not attached");
    return traced;
  }

  /** The calls so far: how many the thread has made that made most. */
  counts(): ReadonlyMap<Injection["call"], number> {
    const byThread = new Map<string, number>();
    const most = new Map<Injection["call"], number>();
    for (const [, pid, call] of Deno.readTextFileSync(this.#log).matchAll(/^(\d+) +(\w+)\(/gm)) {
      const key = `${pid} ${call}`;
      const count = (byThread.get(key) ?? 0) + 1;
      byThread.set(key, count);
      const known = CALLS.find((name) => name === call);
      if (known !== undefined) most.set(known, Math.max(most.get(known) ?? 0, count));
    }
    return most;
  }

  get wasKilled(): boolean {
    return Deno.readTextFileSync(this.#log).includes("killed by SIGKILL");
  }

  /** Leaves the process alone, or what is left of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) this.#strace.kill("SIGTERM");
    // It waits for ever for a thread that was killed while it was made to wait.
    for (let waits = 0; !this.#hasEnded && waits < PARTING_WAITS; waits++) await pause(WAIT_MS);
    if (!this.#hasEnded) this.#strace.kill("SIGKILL");
    await this.#strace.status;
  }
}

function isTraced(pid: number): boolean {
  const tasks = `/proc/${pid}/task`;
  return [...Deno.readDirSync(tasks)].every(({ name }) =>
    !/^TracerPid:\s*0$/m.test(Deno.readTextFileSync(`${tasks}/${name}/status`))
  );
}
