/**
 * What is around the tests: for root, a mount namespace of the run's own.
 *
 * @module
 */
import { hasTool, lackOfRights, run } from "../support/tools.ts";

/** The script that makes them. */
export const SCRIPT: string = new URL("surroundings.sh", import.meta.url).pathname;
/** What a command begins with to run there. */
export const ENTER: readonly string[] = [
  "unshare",
  "--mount",
  "--propagation",
  "unchanged",
  "sh",
  SCRIPT,
];

/** A command as it is run there; as it is, where there is no such namespace to be had. */
export async function inOwnSurroundings(command: readonly string[]): Promise<string[]> {
  return await canEnter() ? [...ENTER, ...command] : [...command];
}

async function canEnter(): Promise<boolean> {
  if (lackOfRights() !== undefined || !hasTool("unshare")) return false;
  const [program = "", ...args] = [...ENTER, "true"];
  return (await run(program, ...args)).code === 0;
}
