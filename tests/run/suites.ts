/**
 * The suites of tests: where they lie, and what they need.
 *
 * @module
 */
import { BOOT_PACKAGES, KERNEL_PACKAGES, PACKAGES, type Packages } from "../support/packages.ts";

/** Tests that are run together. */
export interface Suite {
  readonly packages: Packages;
  /** Where they lie. */
  readonly paths: readonly string[];
  /** What lies there, but does not belong to them. */
  readonly ignored: readonly string[];
  /**
   * What of it may run beside the rest, where there is a processor for it: tests that are about neither
   * time, nor processes, nor devices.
   */
  readonly beside: readonly string[];
}

export const SUITES: Readonly<Record<string, Suite>> = {
  all: {
    packages: PACKAGES,
    paths: ["tests"],
    ignored: ["tests/kernel/uml", "tests/boot/machine"],
    beside: ["tests/crypt", "tests/disk", "tests/format", "tests/hostile"],
  },
  kernel: { packages: KERNEL_PACKAGES, paths: ["tests/kernel/uml"], ignored: [], beside: [] },
  boot: { packages: BOOT_PACKAGES, paths: ["tests/boot/machine"], ignored: [], beside: [] },
};

/**
 * What is to be run at the same time, as arguments of `deno test`.
 *
 * @param words options and paths that a user has given; paths are instead of the suite's
 * @param processors how many there are
 */
export function lanesOf(
  { paths, ignored, beside }: Suite,
  words: readonly string[],
  processors: number,
): string[][] {
  const isChosen = words.some((word) => !word.startsWith("-"));
  if (isChosen || beside.length === 0 || processors < 2) {
    return [[...ignoring(ignored), ...words, ...(isChosen ? [] : paths)]];
  }
  return [[...ignoring([...ignored, ...beside]), ...words, ...paths], [...words, ...beside]];
}

function ignoring(paths: readonly string[]): string[] {
  return paths.length === 0 ? [] : [`--ignore=${paths.join(",")}`];
}
