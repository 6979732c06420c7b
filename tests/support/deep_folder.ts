/**
 * A folder so far below another one that its path is longer than the kernel takes.
 *
 * @module
 */
import { must, TempDirectory } from "./tools.ts";

/** Name of each folder on the way. */
export const DEEP_NAME = "d".repeat(250);
const DEPTH = 20;
const STEPS = `for _ in $(seq ${DEPTH}); do cd ${DEEP_NAME} || exit; done`;

export class DeepFolder implements Disposable {
  readonly #top = new TempDirectory();
  readonly path = `${this.#top.path}${`/${DEEP_NAME}`.repeat(DEPTH)}`;

  private constructor() {}

  static async make(): Promise<DeepFolder> {
    const folder = new DeepFolder();
    const steps = STEPS.replace("do", `do mkdir ${DEEP_NAME} &&`);
    await must("bash", "-c", `cd "$0" && ${steps}`, folder.#top.path);
    return folder;
  }

  /** A command that runs another one in this folder, where it can use short names. */
  get enter(): readonly string[] {
    return ["bash", "-c", `cd "$0" && ${STEPS}; exec "$@"`, this.#top.path];
  }

  /** Runs a program there, which has to succeed; returns what it printed. */
  run(...command: readonly string[]): Promise<string> {
    const [shell = "", ...words] = this.enter;
    return must(shell, ...words, ...command);
  }

  /** Has this process itself work there while `act` runs. */
  within<T>(act: () => T): T {
    const before = Deno.cwd();
    Deno.chdir(this.#top.path);
    try {
      for (let depth = 0; depth < DEPTH; depth++) Deno.chdir(DEEP_NAME);
      return act();
    } finally {
      Deno.chdir(before);
    }
  }

  [Symbol.dispose](): void {
    this.#top[Symbol.dispose]();
  }
}
