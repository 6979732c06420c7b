/**
 * Attaching where the user's limit on files is below what a daemon leaves to the next.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { asRoot } from "../../support/program.ts";
import { must, TempDirectory } from "../../support/tools.ts";
import { deviceTest, FUSE, isAttached, makeSparse, MIB } from "./device.ts";

deviceTest("the user's limit on files ends no attach", [], async () => {
  using folder = new TempDirectory();
  const image = makeSparse(folder.file("disk"), MIB);
  const program = asRoot();
  const limited = ["-c", 'ulimit -f 5000; exec "$@"', "sh", ...program.command];
  const attach = [...FUSE, "-t", "RAW", "--find", "--show", image];
  const device = (await must("sh", ...limited, ...attach)).trim();
  assert(isAttached(device));
  assertEquals(await program.must("-d", device), "");
  assert(!isAttached(device));
});
