/**
 * Plans for fio of what is written to which place: its own random offsets would hit a cluster again and
 * again (where offsets have an alignment of their own, fio keeps no map of those it has used), so that most
 * writes were no first ones.
 *
 * @module
 */
import type { Job } from "./jobs.ts";

/** What fio's NBD engine calls the disk. */
const DISK = "nbd";
/** Numerical Recipes' generator: every run has the same order. */
const [MULTIPLIER, INCREMENT, MODULUS] = [1_664_525, 1_013_904_223, 2 ** 32] as const;

/** A write at the start of each aligned part of the disk, each once, in random order: an iolog, version 2. */
export function firstWrites(
  { blockBytes, alignBytes = blockBytes, flushEvery = Infinity }: Job,
  diskBytes: number,
): string {
  const lines = ["fio version 2 iolog", `${DISK} add`, `${DISK} open`];
  for (const [at, part] of shuffled(Math.floor(diskBytes / alignBytes)).entries()) {
    lines.push(`${DISK} write ${part * alignBytes} ${blockBytes}`);
    if ((at + 1) % flushEvery === 0) lines.push(`${DISK} sync 0 0`);
  }
  return [...lines, `${DISK} close`, ""].join("\n");
}

/** The numbers below `count`, in an order that looks random. */
function shuffled(count: number): number[] {
  const numbers = Array.from({ length: count }, (_, index) => index);
  let state = count;
  for (let last = count - 1; last > 0; last--) {
    state = (state * MULTIPLIER + INCREMENT) % MODULUS;
    const other = Math.floor(state / MODULUS * (last + 1));
    [numbers[last], numbers[other]] = [numbers[other] as number, numbers[last] as number];
  }
  return numbers;
}
