/**
 * The suites of tests: where they lie, and what they need.
 *
 * @module
 */
import { KERNEL_PACKAGES, PACKAGES, type Packages } from "../support/packages.ts";

/** Tests that are run together. */
export interface Suite {
  readonly packages: Packages;
  /** Arguments of `deno test`; the paths may be replaced by others. */
  readonly options: readonly string[];
  readonly paths: readonly string[];
}

export const SUITES: Readonly<Record<string, Suite>> = {
  all: { packages: PACKAGES, options: ["--ignore=tests/kernel/uml"], paths: ["tests"] },
  kernel: { packages: KERNEL_PACKAGES, options: [], paths: ["tests/kernel/uml"] },
};
