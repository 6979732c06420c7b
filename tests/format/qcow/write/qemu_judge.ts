/**
 * What qemu's tools say of an image that has been written to.
 *
 * @module
 */
import { run } from "../../../support/tools.ts";
import type { Original } from "./originals.ts";

/** What is wrong; undefined if nothing is, or `qemu-img` cannot say. Leaks are no fault. */
export async function faultByQemu({ path, keys, recipe }: Original): Promise<string | undefined> {
  if (keys !== undefined) return undefined;
  // Of version 1, qemu checks nothing: it only finds out what it cannot read.
  const args = recipe.version === 1
    ? ["convert", "-n", "-f", "qcow", "--target-image-opts", path, "driver=null-co,read-zeroes=on"]
    : ["check", "-f", "qcow2", path];
  const { code, stdout, stderr } = await run("qemu-img", ...args);
  if (code === 0 || code === 3) return undefined;
  return `qemu-img ${args[0]} exits ${code}: ${stdout}${stderr}`;
}
