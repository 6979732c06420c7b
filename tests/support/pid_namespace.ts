/**
 * PID namespaces, as containers have them, with the state folder of the test run in each.
 *
 * @module
 */
import { entering, HOLDING } from "./mount_namespace.ts";
import { eventually } from "./patience.ts";
import { asRootElsewhere, bindStates, exists, processIds, type Surroundings } from "./program.ts";
import { lackOfRights, missingTools, TempDirectory, testIfPossible } from "./tools.ts";

/** Why there are none to be had, if so. */
export function missingForPidNamespaces(): string | undefined {
  return lackOfRights() ?? missingTools(["unshare", "nsenter", "setsid"]);
}

/** A PID namespace, with all its processes, until the end of the scope. */
export class PidNamespace implements AsyncDisposable {
  readonly program: Surroundings;

  private constructor(
    readonly process: Deno.ChildProcess,
    /** Id here of its first process. */
    readonly firstPid: number,
  ) {
    this.program = asRootElsewhere(entering(firstPid, "mount", "pid"));
  }

  /** @param proc whether its processes see a /proc of their own, or that of the namespace above it */
  static async create(proc: "own" | "outer" = "own"): Promise<PidNamespace> {
    using folder = new TempDirectory();
    const ready = folder.file("ready");
    const script = `${bindStates()} && : >${ready} && ${HOLDING}`;
    const process = new Deno.Command("unshare", {
      args: [
        ...["--mount", "--pid", "--fork", "--kill-child"],
        ...proc === "own" ? ["--mount-proc"] : [],
        ...["sh", "-c", script],
      ],
      stdin: "piped",
    }).spawn();
    await eventually(() => exists(ready), "a PID namespace");
    const firstPid = processIds().find((pid) => parentOf(pid) === process.pid);
    if (firstPid === undefined) throw new Error("the PID namespace has no process");
    return new PidNamespace(process, firstPid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGKILL");
    await this.process.stdin.close();
    await this.process.status;
  }
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1]);
  } catch {
    return undefined;
  }
}

/** Registers a test that needs PID namespaces. */
export function pidNamespaceTest(name: string, body: () => Promise<void>): void {
  testIfPossible({ name, obstacle: missingForPidNamespaces(), fn: body });
}
