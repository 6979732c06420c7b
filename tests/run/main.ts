/**
 * Runs tests, after it has made ready what they need, and says at the end what was left out.
 *
 *     deno run --allow-all tests/run/main.ts all [PATH or option of `deno test`]...
 *     deno run --allow-all tests/run/main.ts kernel
 *     deno run --allow-all tests/run/main.ts kernel --only-install
 *
 * Types are checked first, once: with an empty cache, a worker's types would be checked in the middle
 * of the test that starts it. Then the program is compiled, unless TSLOSETUP_BINARY names one: some
 * tests are about the binary, and the others find the same faults in it as in the sources.
 *
 * @module
 */
import { KEPT_IMAGES } from "../support/encrypted.ts";
import { TempDirectory } from "../support/tools.ts";
import { leftOutLines } from "./left_out.ts";
import { installPackages } from "./packages.ts";
import { lanesOf, type Suite, SUITES } from "./suites.ts";
import { inOwnSurroundings } from "./surroundings.ts";

const ONLY_INSTALL = "--only-install";
/** The program under test, for tests/support/program.ts. */
const BINARY = "TSLOSETUP_BINARY";

async function main([name = "", ...words]: readonly string[]): Promise<number> {
  const suite = SUITES[name];
  if (suite === undefined) return complain(`one of ${Object.keys(SUITES).join(", ")} is expected`);
  const missing = await installPackages(suite.packages);
  if (words.includes(ONLY_INSTALL)) return missing === undefined ? 0 : complain(missing);
  if (!await deno("check", "--quiet", "src", "tests")) return 1;
  if (Deno.env.get(BINARY) === undefined) await compile();
  const closing = await runTests(suite, words);
  const hints = closing.lines.length > 0 && missing !== undefined ? [missing] : [];
  for (const line of [...closing.lines, ...hints]) complain(line);
  return closing.succeeded ? 0 : 1;
}

interface Closing {
  readonly succeeded: boolean;
  readonly lines: readonly string[];
}

async function runTests(suite: Suite, words: readonly string[]): Promise<Closing> {
  using folder = new TempDirectory();
  Deno.env.set(KEPT_IMAGES, folder.path);
  const [first = [], ...others] = lanesOf(suite, words, navigator.hardwareConcurrency);
  const later = others.map((args, lane) => runLater(args, folder, lane));
  const runs = [await runLane(first, folder.file("report.xml"))];
  // One after the other: what they print is to be read.
  for (const run of later) runs.push(await (await run)());
  return {
    succeeded: runs.every(({ succeeded }) => succeeded),
    lines: leftOutLines(runs.map(({ report }) => report).join("")),
  };
}

interface Run {
  readonly succeeded: boolean;
  /** In JUnit's format. */
  readonly report: string;
}

/** @param output where what is printed goes to; to be seen at once where there is none */
async function runLane(args: readonly string[], report: string, output?: string): Promise<Run> {
  const options = ["--no-check", "--no-prompt", "--allow-all", `--junit-path=${report}`];
  const command = await inOwnSurroundings([Deno.execPath(), "test", ...options, ...args]);
  // A pipe would be kept open by any daemon that is left behind.
  const redirected = output === undefined
    ? command
    : ["sh", "-c", 'exec "$@" >"$0" 2>&1', output, ...command];
  return { succeeded: await succeeds(redirected), report: textIfAny(report) };
}

/** Runs a lane; what it answers shows what has been printed. */
async function runLater(
  args: readonly string[],
  folder: TempDirectory,
  lane: number,
): Promise<() => Promise<Run>> {
  const output = folder.file(`output-${lane}`);
  const run = await runLane(args, folder.file(`report-${lane}.xml`), output);
  return async () => {
    const isShown = await succeeds(["cat", output]);
    return { ...run, succeeded: run.succeeded && isShown };
  };
}

/** Where that is not possible (it takes the runtime's base from the network), the sources are tested. */
async function compile(): Promise<void> {
  if (await deno("task", "--quiet", "compile")) {
    Deno.env.set(BINARY, `${Deno.cwd()}/dist/tslosetup`);
  } else complain("the program could not be compiled: tests run its sources");
}

function deno(...args: readonly string[]): Promise<boolean> {
  return succeeds([Deno.execPath(), ...args]);
}

async function succeeds([program = "", ...args]: readonly string[]): Promise<boolean> {
  const { success } = await new Deno.Command(program, { args }).spawn().status;
  return success;
}

/** A run that was cut off leaves no report. */
function textIfAny(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

function complain(line: string): number {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
  return 1;
}

Deno.exit(await main(Deno.args));
