/**
 * Which Linux this is, for what cannot be asked for in any other way.
 *
 * @module
 */
import { readTextIfAny } from "../sys/files.ts";

const PATH = "/proc/sys/kernel/osrelease";

/** Whether it is that version, or a later one; no, where it does not say. */
export function isLinuxSince(major: number, minor: number, text = readTextIfAny(PATH)): boolean {
  const [, actualMajor, actualMinor] = /^(\d+)\.(\d+)/.exec(text ?? "") ?? [];
  if (actualMajor === undefined || actualMinor === undefined) return false;
  const difference = Number(actualMajor) - major;
  return difference > 0 || (difference === 0 && Number(actualMinor) >= minor);
}
