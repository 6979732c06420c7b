/**
 * Which kernels the tests run on: the installed user-mode Linux, and those in the folders that
 * TSLOSETUP_KERNELS names, separated by colons. Each folder has the program `linux.uml` and the folder
 * `modules`, as /usr/lib/uml/modules is laid out.
 *
 * Not every kernel boots on every processor: those of Debian 12 and 13 panic at their first process
 * where its registers (AVX-512, AMX) need more room than they have. So each is tried first. One that
 * does not boot is told in a line, and the tests run on the others; without any they are skipped.
 *
 * @module
 */
import { testIfPossible } from "../../support/tools.ts";
import { type GuestReport, type Kernel, runGuest } from "./uml.ts";

const VARIABLE = "TSLOSETUP_KERNELS";
const INSTALLED: Kernel = { program: "/usr/bin/linux.uml", modules: "/usr/lib/uml/modules" };

/** A kernel that boots here. */
export interface BootedKernel extends Kernel {
  /** As `uname -r` tells it. */
  readonly release: string;
}

/** What became of a kernel that was tried. */
type Trial = { readonly kernel: BootedKernel } | { readonly obstacle: string };

/** Registers a test that runs on every kernel there is; where none boots, it is skipped and says why. */
export async function kernelTest(
  name: string,
  body: (t: Deno.TestContext, kernel: BootedKernel) => Promise<void>,
): Promise<void> {
  const trials = await Promise.all(listedKernels(Deno.env.get(VARIABLE)).map(tried));
  const booted = trials.flatMap((trial) => "kernel" in trial ? [trial.kernel] : []);
  const kernels = new Map(booted.map((kernel) => [kernel.release, kernel]));
  const obstacles = trials.flatMap((trial) => "obstacle" in trial ? [trial.obstacle] : []);
  if (kernels.size === 0) {
    const obstacle = obstacles.join("; ") || "no user-mode Linux installed";
    testIfPossible({ name, obstacle, fn: () => {} });
    return;
  }
  tell(obstacles);
  for (const kernel of kernels.values()) {
    Deno.test(`${name}, Linux ${kernel.release}`, (t) => body(t, kernel));
  }
}

/**
 * The kernels that this machine has, none of them twice.
 *
 * @param folders the value of TSLOSETUP_KERNELS
 */
export function listedKernels(folders = ""): Kernel[] {
  const named = folders.split(":").filter((folder) => folder !== "")
    .map((folder) => ({ program: `${folder}/linux.uml`, modules: `${folder}/modules` }));
  const kernels = new Map<string, Kernel>();
  for (const { program, modules } of [INSTALLED, ...named]) {
    const path = realPathIfAny(program);
    if (path !== undefined && !kernels.has(path)) kernels.set(path, { program: path, modules });
  }
  return [...kernels.values()];
}

function realPathIfAny(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch {
    return undefined;
  }
}

async function tried(kernel: Kernel): Promise<Trial> {
  const report = await runGuest('ok "$(uname -r)"', { kernel });
  const release = report.checks[0]?.name;
  if (report.finished && release !== undefined) return { kernel: { ...kernel, release } };
  return { obstacle: `${kernel.program} does not boot on this machine: ${lastWords(report)}` };
}

/** Why a kernel ended: what it calls a panic, or else what it said last. */
function lastWords({ console }: GuestReport): string {
  const lines = console.trim().split("\n");
  return lines.find((line) => line.includes("Kernel panic")) ?? lines.at(-1) ?? "";
}

function tell(lines: readonly string[]): void {
  for (const line of lines) Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}
