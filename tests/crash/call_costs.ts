/**
 * What a server asks the kernel for while it writes to an image: how many writes and syncs, and how much
 * it writes.
 *
 * @module
 */
import type { TempDirectory } from "../support/tools.ts";
import { CALLS, TracedProcess } from "./traced_process.ts";

export interface CallCosts {
  readonly writes: number;
  readonly writtenBytes: number;
  readonly syncs: number;
  /** Calls of fallocate(2) and ftruncate(2). */
  readonly allocations: number;
}

/** What a process does while `act` runs. */
export async function costsOf(
  pid: number,
  folder: TempDirectory,
  act: () => Promise<void>,
): Promise<CallCosts> {
  const prefix = folder.file(`calls-${crypto.randomUUID().slice(0, 8)}`);
  {
    await using _traced = await TracedProcess.traceThreads(pid, prefix);
    await act();
  }
  const name = prefix.slice(prefix.lastIndexOf("/") + 1);
  const logs = [...Deno.readDirSync(folder.path)].filter((entry) => entry.name.startsWith(name));
  return sum(logs.map((entry) => Deno.readTextFileSync(folder.file(entry.name))).join("\n"));
}

const WRITES: readonly string[] = CALLS.filter((call) => call.startsWith("pwrite"));
const SYNCS: readonly string[] = CALLS.filter((call) => call.endsWith("sync"));

function sum(log: string): CallCosts {
  const costs = { writes: 0, writtenBytes: 0, syncs: 0, allocations: 0 };
  for (const [line, call = "", result] of log.matchAll(/^(\w+)\(.*\) += (-?\d+)/gm)) {
    if (WRITES.includes(call)) {
      costs.writes++;
      costs.writtenBytes += Number(result);
      if (line.includes("RWF_DSYNC")) costs.syncs++;
    } else if (SYNCS.includes(call)) costs.syncs++;
    else costs.allocations++;
  }
  return costs;
}
