/**
 * Processes that nobody else keeps from the processor: so others on the same machine do not change the
 * figures. They have to wait meanwhile, so it is for short runs.
 *
 * @module
 */
import { setTimeout as delay } from "node:timers/promises";
import { must } from "../support/tools.ts";

/** Anything above ordinary processes will do; equal ones take turns (sched(7)). */
const PRIORITY = "1";

/** The words that run a command so. */
export const REALTIME: readonly string[] = ["chrt", "--rr", PRIORITY];

/** Has a process with all its threads run so, and those that it starts. */
export async function makeRealtime(pid: number): Promise<void> {
  await must("chrt", "--all-tasks", "--rr", "--pid", PRIORITY, String(pid));
}

/** Leaves the processors to the others for as long as a run takes. */
export async function letOthersRun(seconds: number): Promise<void> {
  await delay(seconds * 1000);
}
