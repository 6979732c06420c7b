/**
 * Images attached to real loop devices over the fuse transport, on this machine's own kernel.
 *
 * @module
 */
import type { Program } from "../../support/packages.ts";
import { eventually } from "../../support/patience.ts";
import {
  asRoot,
  exists,
  isRunning,
  type SeenState,
  statesIn,
  type Surroundings,
} from "../../support/program.ts";
import { randomNumbers } from "../../support/images.ts";
import {
  lackOfRights,
  missingTools,
  must,
  run,
  type TempDirectory,
  testIfPossible,
} from "../../support/tools.ts";

/** Why no device can be made here, if so. */
function missingForDevices(): string | undefined {
  if (!exists("/dev/fuse")) return "no /dev/fuse";
  if (!exists("/sys/class/misc/loop-control")) return "no loop driver";
  return undefined;
}

/** Registers a test that runs where devices can be made, nothing else is in the way, and all of `tools` are installed. */
export function deviceTest(
  name: string,
  tools: readonly Program[],
  body: (t: Deno.TestContext) => Promise<void>,
  { obstacle: further }: { readonly obstacle?: string | undefined } = {},
): void {
  const obstacle = lackOfRights() ?? missingForDevices() ?? further ??
    missingTools(["losetup", ...tools]);
  testIfPossible({ name, obstacle, fn: body });
}

/** Asks for the transport under test; also where the kernel has nbd. */
export const FUSE = ["--transport", "fuse"] as const;

/** A device of ours until the end of the scope, come what may. */
export class Device implements AsyncDisposable {
  readonly name: string;
  readonly #mounts: string[] = [];

  private constructor(
    readonly program: Surroundings,
    readonly path: string,
    readonly image: string,
    /** The daemon. */
    readonly pid: number,
    /** What attaching has printed on standard error. */
    readonly warnings: string,
  ) {
    this.name = path.slice("/dev/".length);
  }

  /** Attaches to any free device. */
  static async attach(image: string, ...options: readonly string[]): Promise<Device> {
    const program = asRoot();
    const words = [...FUSE, ...options, "--find", "--show", image];
    const { code, stdout, stderr } = await program.run(...words);
    if (code !== 0) throw new Error(`attach failed: ${stderr}`);
    return Device.#of(program, stdout.trim(), image, stderr);
  }

  /** Attaches by the name of a device, one of those that hardly anyone else takes. */
  static async attachNamed(image: string, ...options: readonly string[]): Promise<Device> {
    const program = asRoot();
    let complaint = "";
    for (const number of [7, 6, 5, 4, 7, 6, 5, 4]) {
      const path = `/dev/loop${number}`;
      if (isAttached(path)) continue;
      const { code, stderr } = await program.run(...FUSE, ...options, path, image);
      if (code === 0) return Device.#of(program, path, image, stderr);
      complaint = stderr;
      if (!stderr.includes("busy")) break;
    }
    throw new Error(`no device to be had: ${complaint}`);
  }

  static async #of(
    program: Surroundings,
    path: string,
    image: string,
    warnings: string,
  ): Promise<Device> {
    const state = statesIn(program.stateDirectory).find(({ device }) => device === path);
    if (state === undefined) {
      if (backingFile(path) === Deno.realPathSync(image)) await run("losetup", "-d", path);
      throw new Error(`no state of ${path}`);
    }
    const device = new Device(program, path, Deno.realPathSync(image), state.pid, warnings);
    device.#countRequests();
    return device;
  }

  get isRunning(): boolean {
    return isRunning(this.pid);
  }

  /** Whether the kernel still has our image on the device. */
  get isAttached(): boolean {
    return backingFile(this.path) === this.image;
  }

  get hasState(): boolean {
    return this.#state !== undefined;
  }

  /** Waits until neither device, nor process, nor state is left. */
  async gone(): Promise<void> {
    const isLeft = (): boolean => this.isRunning || this.isAttached || this.hasState;
    await eventually(() => !isLeft(), `${this.path} to go`);
  }

  async detach(): Promise<void> {
    await this.program.must("-d", this.path);
  }

  /** A value of /sys/block/loopN. */
  attribute(name: string): string {
    return Deno.readTextFileSync(`/sys/block/${this.name}/${name}`).trim();
  }

  get sizeBytes(): number {
    return Number(this.attribute("size")) * 512;
  }

  /** How many requests have no answer yet. */
  get inFlight(): number {
    return this.attribute("inflight").split(/\s+/).reduce((sum, count) => sum + Number(count), 0);
  }

  /** A loop device keeps its settings, and requests are not counted where somebody has turned that off. */
  #countRequests(): void {
    Deno.writeTextFileSync(`/sys/block/${this.name}/queue/iostats`, "1");
  }

  /** Mounts it on a folder, until the end of the scope at the latest. */
  async mount(folder: string, ...options: readonly string[]): Promise<void> {
    Deno.mkdirSync(folder, { recursive: true });
    await must("mount", ...options, this.path, folder);
    this.#mounts.push(folder);
  }

  async unmount(folder: string): Promise<void> {
    await must("umount", folder);
    this.#mounts.splice(this.#mounts.indexOf(folder), 1);
  }

  kill(signal: Deno.Signal): void {
    Deno.kill(this.pid, signal);
  }

  /** Kills who serves it, and waits until somebody else does. */
  async killAndRevive(): Promise<void> {
    const { currentPid, revivals } = this;
    if (currentPid === 0) throw new Error(`${this.path} has no state`);
    Deno.kill(currentPid, "SIGKILL");
    await eventually(() => this.revivals > revivals, "another daemon");
  }

  /** The process that serves it now: another one, once that was killed. */
  get currentPid(): number {
    return this.#state?.pid ?? 0;
  }

  /** How often that has happened. */
  get revivals(): number {
    return this.#state?.revivals ?? 0;
  }

  get #state(): SeenState | undefined {
    return statesIn(this.program.stateDirectory).find(({ device }) => device === this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const folder of this.#mounts) await run("umount", "--lazy", folder);
    if (!this.isRunning && !this.isAttached && !this.hasState) return;
    await this.program.run("-d", this.path);
    if (this.isAttached) await run("losetup", "-d", this.path);
    if (this.isRunning) this.kill("SIGKILL");
  }
}

/** The program as {@link asRoot} runs it. */
export function ownCommand(): string[] {
  const binary = Deno.env.get("TSLOSETUP_BINARY");
  if (binary !== undefined) return [binary];
  const main = new URL("../../../src/main.ts", import.meta.url).pathname;
  const flags = [
    "--quiet",
    "--no-prompt",
    "--allow-ffi",
    "--allow-env=XDG_RUNTIME_DIR,TMPDIR,TSLOSETUP_DEBUG",
    `--allow-read=${new URL("../../../src", import.meta.url).pathname}`,
  ];
  return [Deno.execPath(), "run", ...flags, main];
}

function backingFile(path: string): string | undefined {
  try {
    const name = path.slice("/dev/".length);
    return Deno.readTextFileSync(`/sys/block/${name}/loop/backing_file`).trimEnd();
  } catch {
    return undefined;
  }
}

export function isAttached(path: string): boolean {
  return backingFile(path) !== undefined;
}

/** Loop devices that nobody uses right now. */
export function freeDevices(): number {
  return [...Deno.readDirSync("/sys/block")]
    .filter(({ name }) => /^loop\d+$/.test(name) && !isAttached(`/dev/${name}`)).length;
}

/** What a stock losetup says of a device. */
export async function stockColumns(
  path: string,
  ...columns: readonly string[]
): Promise<string[]> {
  const args = ["--list", "--noheadings", "--raw", "--output", columns.join(","), path];
  return (await must("losetup", ...args)).trim().split(" ");
}

/** Paths below a folder and the SHA-256 of each file. */
export async function checksums(folder: string): Promise<Map<string, string>> {
  const sums = new Map<string, string>();
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (name === "lost+found") continue;
    const path = `${folder}/${name}`;
    if (!isDirectory) sums.set(name, await sha256(path));
    else for (const [below, sum] of await checksums(path)) sums.set(`${name}/${below}`, sum);
  }
  return sums;
}

async function sha256(path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return new Uint8Array(digest).toHex();
}

/** Folders with files of a few bytes up to several MiB, the same for the same seed. */
export function writeFiles(folder: string, totalBytes: number, seed: number): void {
  const random = randomNumbers(seed);
  for (let written = 0, number = 0; written < totalBytes; number++) {
    const below = `${folder}/folder${number % 7}`;
    Deno.mkdirSync(below, { recursive: true });
    const size = Math.min(totalBytes - written, Math.floor(16 * 2 ** (random() * 18)));
    Deno.writeFileSync(`${below}/file${number}`, randomBytes(size, seed + number));
    written += size;
  }
}

/** Bytes of which the middle third is easy to compress. */
function randomBytes(sizeBytes: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = randomNumbers(seed);
  const words = new Uint32Array(Math.ceil(sizeBytes / 4));
  const [from, to] = [words.length / 3, (2 * words.length) / 3];
  words.forEach((_, index) =>
    words[index] = index > from && index < to ? seed : random() * 2 ** 32
  );
  return new Uint8Array(words.buffer, 0, sizeBytes);
}

/** A sparse file. */
export function makeSparse(path: string, sizeBytes: number): string {
  Deno.writeFileSync(path, new Uint8Array());
  Deno.truncateSync(path, sizeBytes);
  return path;
}

/** Bytes a file takes on its disk. */
export function allocatedBytes(path: string): number {
  return (Deno.statSync(path).blocks ?? NaN) * 512;
}

export interface FileSystemImages {
  /** The files, as a folder. */
  readonly tree: string;
  readonly raw: string;
  readonly qcow: string;
}

/** An ext4 file system with some files, as a raw and as a QCOW image. */
export async function makeFileSystem(
  folder: TempDirectory,
  ...convert: readonly string[]
): Promise<FileSystemImages> {
  const [tree, raw, qcow] = [folder.file("tree"), folder.file("fs.raw"), folder.file("fs.qcow2")];
  Deno.mkdirSync(tree);
  writeFiles(tree, 12 * MIB, 1);
  makeSparse(raw, 32 * MIB);
  await must("mkfs.ext4", "-q", "-F", "-d", tree, raw);
  await must("qemu-img", "convert", ...convert, "-f", "raw", "-O", "qcow2", raw, qcow);
  return { tree, raw, qcow };
}

export const KIB = 1024;
export const MIB = 1024 * KIB;
