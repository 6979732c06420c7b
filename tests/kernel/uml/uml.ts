/**
 * Runs a bash script as root in user-mode Linux: a real kernel with nbd and loop, as an ordinary process.
 *
 * The guest sees the host's files read-only at their places, has /tmp and /run of its own, a folder
 * /run/share that both sides write, and the functions of guest_init.sh: `check`, `same`, `ok`, `not_ok`,
 * `eventually`. Each reports one line, `ok NAME` or `not ok NAME: details`, which becomes a test step.
 *
 *     const report = await runGuest(
 *       `
 *       modprobe loop
 *       check "loop-control is there" test -c /dev/loop-control
 *     `,
 *       { kernel },
 *     );
 *     await stepsOf(t, report);
 *
 * @module
 */

const INIT = new URL("guest_init.sh", import.meta.url).pathname;
/** Hidden by the guest's own /tmp or /run if it lies there, so it is mounted once more. */
const PROJECT = new URL("../../../", import.meta.url).pathname;
const END_MARKER = "# end";
/** Several times what a guest takes on an idle machine, and more than the patience of a single check. */
const TIME_LIMIT_MINUTES = 30;
const MS_PER_MINUTE = 60_000;
const KILL_DELAY_MS = 3_000;

/** A user-mode Linux: its program, and the folder of its modules. */
export interface Kernel {
  readonly program: string;
  readonly modules: string;
}

/** How to run a guest. */
export interface GuestOptions {
  readonly kernel: Kernel;
  /** Memory of the guest, as the kernel's `mem=` takes it. */
  readonly memory?: string;
  /** Ended after so long, if it has not come to its end; 30. */
  readonly timeLimitMinutes?: number;
  /** Further environment variables of the script. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called with the shared folder before the guest starts, for example to put images there. */
  readonly prepare?: (folder: string) => void | Promise<void>;
  /** Called with the shared folder after the guest has ended. */
  readonly collect?: (folder: string) => void | Promise<void>;
}

/** One line of the guest's report. */
export interface Check {
  readonly name: string;
  readonly passed: boolean;
  /** What was wrong, empty if it passed. */
  readonly details: string;
}

/** What came of a guest. */
export interface GuestReport {
  readonly checks: readonly Check[];
  /** Whether the script got to its end within the time limit. */
  readonly finished: boolean;
  /** Everything written to the guest's console. */
  readonly console: string;
}

/** Boots a guest, runs `script` in it, and returns what it reported. */
export async function runGuest(script: string, options: GuestOptions): Promise<GuestReport> {
  const folder = await Deno.makeTempDir({ prefix: "tslosetup-uml-" });
  try {
    await Deno.writeTextFile(`${folder}/guest.sh`, script);
    await Deno.writeTextFile(`${folder}/environment`, environmentText(options.env ?? {}));
    await Deno.writeTextFile(`${folder}/results`, "");
    await options.prepare?.(folder);
    const console = await boot(folder, options);
    await options.collect?.(folder);
    return { ...parseResults(await Deno.readTextFile(`${folder}/results`)), console };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Turns a report into steps of a test; a guest that did not get to its end is a failed step. */
export async function stepsOf(t: Deno.TestContext, report: GuestReport): Promise<void> {
  for (const { name, passed, details } of report.checks) {
    await t.step(name, () => {
      if (!passed) throw new Error(details);
    });
  }
  await t.step("the guest gets to its end", () => {
    if (!report.finished) throw new Error(`the console's last words:\n${tail(report.console, 40)}`);
  });
  const failed = report.checks.some(({ passed }) => !passed);
  if (failed) throw new Error(`console:\n${tail(report.console, 80)}`);
}

/** The checks in a results file, and whether it is complete. */
export function parseResults(text: string): Pick<GuestReport, "checks" | "finished"> {
  const lines = text.split("\n");
  const checks = lines.flatMap((line): Check[] => {
    const match = /^(not )?ok (.*)$/.exec(line);
    if (match === null) return [];
    const [, not, rest = ""] = match;
    if (not === undefined) return [{ name: rest, passed: true, details: "" }];
    const [name = "", ...details] = rest.split(": ");
    return [{ name, passed: false, details: details.join(": ") }];
  });
  return { checks, finished: lines.includes(END_MARKER) };
}

function environmentText(env: Readonly<Record<string, string>>): string {
  return Object.entries(env).map(([name, value]) => `${name}=${value}\0`).join("");
}

async function boot(folder: string, options: GuestOptions): Promise<string> {
  const { program, modules } = options.kernel;
  const child = new Deno.Command(program, {
    args: [
      `mem=${options.memory ?? "1G"}`,
      ...["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"],
      ...["con=null", "con0=fd:0,fd:1", "quiet", `uml_dir=${folder}/`],
      ...[`init=${INIT}`, `share=${folder}`, `project=${PROJECT}`, `modules=${modules}`],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const limitMs = (options.timeLimitMinutes ?? TIME_LIMIT_MINUTES) * MS_PER_MINUTE;
  // Asked nicely, the guest takes its helper processes along.
  const timers = [
    setTimeout(() => child.kill("SIGTERM"), limitMs),
    setTimeout(() => child.kill("SIGKILL"), limitMs + KILL_DELAY_MS),
  ];
  const { stdout } = await child.output();
  timers.forEach(clearTimeout);
  return new TextDecoder().decode(stdout).replaceAll("\r", "");
}

function tail(text: string, lines: number): string {
  return text.trimEnd().split("\n").slice(-lines).join("\n");
}
