/**
 * A working folder and loop devices for one command line, the same each time.
 *
 * @module
 */
import { detachIfAttached } from "../device/loop/loop_folder.ts";
import { loopStatus } from "../../src/kernel/loop_status.ts";
import { removeLoop } from "../../src/kernel/loop_control.ts";
import { ENODEV, SystemError } from "../../src/sys/errno.ts";
import { type AttachedLoop, LoopFolder } from "../device/loop/loop_folder.ts";
import { eventually } from "../support/patience.ts";
import { exists } from "../support/program.ts";
import { must } from "../support/tools.ts";
import { FILES, type Row, THINGS } from "./row.ts";

/** What {@link Row} calls devices. The numbers are beyond what anybody else uses. */
const DEVICES: Readonly<Record<string, string>> = {
  dev: "/dev/loop240",
  dev2: "/dev/loop241",
  dev3: "/dev/loop242",
  blk: "/dev/loop243",
};
const FIRST_OWN_NUMBER = 240;

/** What came of one command. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly loops: readonly LoopState[];
}

/** A device afterwards: sysfs, the kernel's name for its file, its partitions. */
export interface LoopState extends AttachedLoop {
  readonly reference: string;
  readonly partitions: readonly string[];
}

/** The stage; what is attached to its files is detached at the end of the scope. */
export class Stage implements AsyncDisposable {
  readonly #folder = new LoopFolder();
  #isFurnished = false;

  get path(): string {
    return this.#folder.path;
  }

  /** Makes everything as it is before a row, and runs `program` with the row's words. */
  async play(row: Row, program: readonly string[]): Promise<Outcome> {
    await this.#prepare(row);
    using _holder = row.held === undefined ? undefined : Deno.openSync(this.word(row.held));
    const [command = "", ...first] = program;
    const output = await new Deno.Command(command, {
      args: [...first, ...this.#words(row.line)],
      cwd: this.path,
      env: { LC_ALL: "C.UTF-8" },
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    return this.#neutral({
      code: output.code,
      stdout: text.decode(output.stdout),
      stderr: text.decode(output.stderr),
      loops: this.#loops(),
    });
  }

  async #prepare({ line, before = [] }: Row): Promise<void> {
    await this.#clear();
    if (!this.#isFurnished) await this.#furnish();
    this.#resetSizes();
    if (line.includes("{blk}")) await this.#run(["losetup", DEVICES["blk"] ?? "", "block"]);
    for (const command of before) await this.#run(this.#words(command));
  }

  async #furnish(): Promise<void> {
    for (const [name, sizeBytes] of Object.entries(FILES)) this.#folder.sparse(name, sizeBytes);
    for (const thing of THINGS) await this.#run(thing);
    this.#isFurnished = true;
  }

  /** All that a row can do to the files: nobody writes to the devices. */
  #resetSizes(): void {
    for (const [name, sizeBytes] of Object.entries(FILES)) {
      const path = this.#folder.file(name);
      if (Deno.statSync(path).size !== sizeBytes) Deno.truncateSync(path, sizeBytes);
    }
  }

  /** Also the devices themselves are as if they had never been. */
  async #clear(): Promise<void> {
    this.#folder.clear();
    for (const device of Object.values(DEVICES)) {
      if (exists(device)) await forget(device);
      this.#folder.adopt(device);
    }
  }

  async #run([program = "", ...args]: readonly string[]): Promise<void> {
    await must("env", "-C", this.path, program, ...args);
  }

  #words(line: string): string[] {
    return line.split(" ").map((word) => this.word(word === "''" ? "" : word));
  }

  /** A word of a row with what it stands for. */
  readonly word = (word: string): string => {
    return word.replace(/\{(\w+)\}/g, (_, name: string) => {
      if (name === "dir") return this.path;
      if (name === "name") return DEVICES["dev"]?.slice("/dev/".length) ?? "";
      return DEVICES[name] ?? "";
    });
  };

  #loops(): LoopState[] {
    return this.#folder.attached().map((loop) => ({
      ...loop,
      reference: loopStatus(loop.path)?.fileName ?? "",
      partitions: partitionsOf(loop.path.slice("/dev/".length)),
    }));
  }

  /** Without what may differ: the program's name, and which device was free. */
  #neutral(outcome: Outcome): Outcome {
    const free = (text: string): string =>
      text.replace(
        /\/dev\/loop(\d+)/g,
        (device, number) => Number(number) < FIRST_OWN_NUMBER ? "/dev/loopFREE" : device,
      );
    const program = (text: string): string =>
      text.replace(/^\S*losetup: /gm, "PROGRAM: ").replace(/^Try '\S*losetup /gm, "Try 'PROGRAM ");
    return {
      code: outcome.code,
      stdout: free(outcome.stdout),
      stderr: program(free(outcome.stderr)),
      loops: outcome.loops.map((loop) => ({ ...loop, path: free(loop.path) })),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#clear();
    this.#folder[Symbol.dispose]();
  }
}

/** Detaches and removes a device; the last close before may take effect a moment later. */
async function forget(device: string): Promise<void> {
  detachIfAttached(device);
  await eventually(() => isRemoved(device), `${device} to go`);
}

function isRemoved(device: string): boolean {
  try {
    removeLoop(device);
    return true;
  } catch (error) {
    return error instanceof SystemError && error.errno === ENODEV;
  }
}

function partitionsOf(name: string): string[] {
  return [...Deno.readDirSync(`/sys/block/${name}`)]
    .map((entry) => entry.name)
    .filter((entry) => entry.startsWith(`${name}p`))
    .map((entry) => entry.slice(name.length))
    .sort();
}
