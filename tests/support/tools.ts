/**
 * Tests that need programs we did not write, or rights. Where they cannot be had, the test is skipped
 * and says why.
 *
 * @module
 */

import type { Program } from "./packages.ts";
import { patiently } from "./patience.ts";

/** Whether `program` is found on PATH, or where its own path says. */
export function hasTool(program: string): boolean {
  if (program.startsWith("/")) return isFile(program);
  const folders = (Deno.env.get("PATH") ?? "").split(":").concat("/usr/sbin", "/sbin");
  return folders.some((folder) => isFile(`${folder}/${program}`));
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** A test that cannot be run everywhere. */
export interface ConditionalTest {
  readonly name: string;
  /** Why it cannot be run here, if so. */
  readonly obstacle: string | undefined;
  readonly fn: (t: Deno.TestContext) => void | Promise<void>;
}

/** Registers a test; where there is an obstacle to it, it is skipped and says why. */
export function testIfPossible({ name, obstacle, fn }: ConditionalTest): void {
  if (obstacle === undefined) Deno.test(name, fn);
  else Deno.test({ name: `${name} [skipped: ${obstacle}]`, ignore: true, fn });
}

/** Registers a test that only the superuser can run, where all of `tools` are installed. */
export function rootTest(name: string, tools: readonly Program[], fn: ConditionalTest["fn"]): void {
  testIfPossible({ name, obstacle: lackOfRights() ?? missingTools(tools), fn });
}

/** Why what the superuser does cannot be done here, if so. */
export function lackOfRights(): string | undefined {
  return Deno.uid() === 0 ? undefined : "not root";
}

/** Registers a test that runs only where all of `tools` are installed. */
export function oracleTest(
  name: string,
  tools: readonly Program[],
  body: (t: Deno.TestContext) => void | Promise<void>,
): void {
  testIfPossible({ name, obstacle: missingTools(tools), fn: body });
}

/** Which of `tools` cannot be used here, and why, if any cannot. */
export function missingTools(tools: readonly Program[]): string | undefined {
  const missing = tools.filter((tool) => !hasTool(tool));
  if (missing.length > 0) return `${missing.join(", ")} not installed`;
  return tools.includes("unshare") ? lackOfNamespaces() : undefined;
}

let canUnshare: boolean | undefined;

/** Why no mount namespaces can be made here, if so. */
export function lackOfNamespaces(): string | undefined {
  const lack = lackOfRights();
  if (lack !== undefined) return lack;
  const args = ["--mount", "true"];
  canUnshare ??= new Deno.Command("unshare", { args, stderr: "null" }).outputSync().success;
  return canUnshare ? undefined : "no mount namespaces: the root of this chroot is no mount point";
}

/** What a finished program printed. */
export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function run(program: string, ...args: string[]): Promise<Output> {
  const output = await new Deno.Command(program, { args, stdin: "null" }).output();
  const text = new TextDecoder();
  return {
    code: output.code,
    stdout: text.decode(output.stdout),
    stderr: text.decode(output.stderr),
  };
}

/** As {@link run}, for what may hang: it is killed then. */
export function runPatiently(...command: [string, ...string[]]): Promise<Output> {
  const [program = "", ...args] = patiently(...command);
  return run(program, ...args);
}

/** Runs a program that has to succeed, and returns its standard output. */
export async function must(program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(program, ...args);
  if (code !== 0) {
    throw new Error(`${program} ${args.join(" ")} exited ${code}: ${stderr}${stdout}`);
  }
  return stdout;
}

/** How often qemu may measure in vain. */
const MEASUREMENTS = 200;

/**
 * As {@link must}, for what makes qemu derive a key. How many iterations a key is worth it finds out
 * by its own CPU time, which on a busy or a fast machine it often cannot measure.
 */
export async function mustDeriveKey(program: string, ...args: string[]): Promise<void> {
  for (let attempt = 1; attempt < MEASUREMENTS; attempt++) {
    const { code, stderr } = await run(program, ...args);
    if (code === 0) return;
    if (!stderr.includes("accurate CPU usage")) break;
  }
  await must(program, ...args);
}

/** With the process that runs the tests: what is in such a folder is told from what others use. */
const TEMPORARY = `tslosetup-test-${Deno.pid}-`;
const IN_TEMPORARY = /\/tslosetup-test-(\d+)-[^/]*\//;

/** Whether a path leads into a {@link TempDirectory} of tests that were killed. */
export function isLeftBehind(path: string): boolean {
  const [, pid] = IN_TEMPORARY.exec(path) ?? [];
  return pid !== undefined && !isThere(`/proc/${pid}`);
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** A folder that is removed at the end of its scope. */
export class TempDirectory implements Disposable {
  readonly path: string;

  /** @param dir where it is made, if not where such folders usually are */
  constructor(dir?: string) {
    const options = { prefix: TEMPORARY };
    this.path = Deno.makeTempDirSync(dir === undefined ? options : { ...options, dir });
  }

  file(name: string): string {
    return `${this.path}/${name}`;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Where files are in memory, if that is to be had: what tests write a lot of is faster there. */
export function memoryFolder(): string | undefined {
  try {
    using _probe = new TempDirectory("/dev/shm");
    return "/dev/shm";
  } catch {
    return undefined;
  }
}
