/**
 * Processes that may start no further thread, by a cgroup.
 *
 * @module
 */
import { parseMounts } from "../../src/kernel/proc_tables.ts";
import { eventually } from "./patience.ts";
import { lackOfRights } from "./tools.ts";

/** Where groups can be made whose processes are counted, if anywhere. */
function hierarchy(): string | undefined {
  const mounts = parseMounts(Deno.readTextFileSync("/proc/self/mountinfo"));
  const [first] = mounts.filter(({ fileSystem, options, mountPoint }) =>
    (fileSystem === "cgroup" && options.includes("pids")) ||
    (fileSystem === "cgroup2" && countsProcesses(mountPoint))
  );
  return first?.mountPoint;
}

function countsProcesses(root: string): boolean {
  try {
    return Deno.readTextFileSync(`${root}/cgroup.subtree_control`).split(/\s/).includes("pids");
  } catch {
    return false;
  }
}

/** Why no process can be limited here, if so. */
export function missingForThreadLimits(): string | undefined {
  const lack = lackOfRights();
  if (lack !== undefined) return lack;
  return hierarchy() === undefined ? "no cgroups that count processes" : undefined;
}

/** Keeps a process from starting threads until the scope ends. */
export class ThreadLimit implements AsyncDisposable {
  readonly #root = hierarchy() ?? "";
  readonly #folder = `${this.#root}/tslosetup-test-${crypto.randomUUID()}`;

  constructor(readonly pid: number) {
    Deno.mkdirSync(this.#folder);
    Deno.writeTextFileSync(`${this.#folder}/pids.max`, "1");
    Deno.writeTextFileSync(`${this.#folder}/cgroup.procs`, `${pid}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      Deno.writeTextFileSync(`${this.#root}/cgroup.procs`, `${this.pid}`);
    } catch {
      // It has ended.
    }
    await eventually(() => this.#isRemoved(), "no cgroup");
  }

  #isRemoved(): boolean {
    try {
      Deno.removeSync(this.#folder);
      return true;
    } catch {
      return false;
    }
  }
}
