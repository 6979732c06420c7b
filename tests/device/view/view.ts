/**
 * Images attached to real loop devices as views, on this machine's own kernel.
 *
 * @module
 */
import { isBelowView } from "../../../src/kernel/view_labels.ts";
import { diskNames, nodePath } from "../../../src/kernel/block_devices.ts";
import { loopStatusIfAny } from "../../../src/kernel/loop_status.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import type { Program } from "../../support/packages.ts";
import { eventually } from "../../support/patience.ts";
import { asRoot, exists, type Surroundings } from "../../support/program.ts";
import { lackOfRights, missingTools, must, run, testIfPossible } from "../../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

/** Asks for the transport under test. */
export const VIEW = ["--transport", "view"] as const;

/** Why no view can be made here, if so. */
function missingForViews(): string | undefined {
  if (!exists("/sys/class/misc/loop-control")) return "no loop driver";
  return missingFileSystem("erofs");
}

/** Why a file system cannot be mounted here, if so. */
export function missingFileSystem(type: string): string | undefined {
  const known = Deno.readTextFileSync("/proc/filesystems").split("\n");
  return known.includes(`\t${type}`) ? undefined : `the kernel has no ${type}, or not yet`;
}

/** Registers a test that runs where views can be made and all of `tools` are installed. */
export function viewTest(
  name: string,
  tools: readonly Program[],
  body: (t: Deno.TestContext) => Promise<void>,
  obstacle?: string,
): void {
  const missing = lackOfRights() ?? missingForViews() ?? missingTools(["losetup", ...tools]);
  testIfPossible({ name, obstacle: missing ?? obstacle, fn: body });
}

function attributeIfAny(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path).trimEnd();
  } catch {
    return undefined;
  }
}

/** Loop devices below views that were not there before the tests. */
export function devicesBelow(): string[] {
  return allBelow().filter((path) => !EARLIER.has(path));
}

function allBelow(): string[] {
  return diskNames("loop").map(nodePath).filter((path) => isBelowView(loopStatusIfAny(path)));
}

/** What others have is none of the tests' business. */
const EARLIER: ReadonlySet<string> = new Set(Deno.uid() === 0 ? allBelow() : []);

/** Waits until no loop device is below a view any more: the kernel lets go of them in its own time. */
export function nothingBelow(): Promise<void> {
  return eventually(() => devicesBelow().length === 0, "what was below to go");
}

/** A view until the end of the scope, come what may. */
export class View implements AsyncDisposable {
  readonly #mounts: string[] = [];

  private constructor(
    readonly program: Surroundings,
    readonly path: string,
    /** The loop devices below it. */
    readonly below: readonly string[],
  ) {}

  /** Attaches to any free device. */
  static async attach(image: string, ...options: readonly string[]): Promise<View> {
    const program = asRoot();
    const before = new Set(devicesBelow());
    const words = [...VIEW, "-r", ...options, "--find", "--show", image];
    const { code, stdout, stderr } = await program.run(...words);
    if (code !== 0) throw new Error(`attach failed: ${stderr}`);
    const below = devicesBelow().filter((device) => !before.has(device));
    return new View(program, stdout.trim(), below);
  }

  get name(): string {
    return this.path.slice("/dev/".length);
  }

  /** What the kernel calls its backing file; undefined once it is gone. */
  get backingFile(): string | undefined {
    return attributeIfAny(`/sys/block/${this.name}/loop/backing_file`);
  }

  get sizeBytes(): number {
    return Number(attributeIfAny(`/sys/block/${this.name}/size`)) * 512;
  }

  async detach(): Promise<void> {
    await this.program.must("-d", this.path);
  }

  /** Mounts it, read-only, on a folder until the end of the scope at the latest. */
  async mount(folder: string): Promise<void> {
    Deno.mkdirSync(folder, { recursive: true });
    await must("mount", "-o", "ro", this.path, folder);
    this.#mounts.push(folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const folder of this.#mounts) await run("umount", "--lazy", folder);
    if (this.backingFile !== undefined) await run("losetup", "-d", this.path);
    const isLeft = (device: string): boolean => this.below.includes(device);
    await eventually(() => !devicesBelow().some(isLeft), "what was below to go");
  }
}

/** A row of `tslosetup -l --json`, of all columns. */
export async function listed(
  program: Surroundings,
  path: string,
): Promise<Record<string, unknown> | undefined> {
  const { loopdevices } = JSON.parse(await program.must("--json", "-l", "--output-all")) as {
    loopdevices: Record<string, unknown>[];
  };
  return loopdevices.find(({ name }) => name === path);
}
