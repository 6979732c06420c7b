// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { oracleTest } from "../support/tools.ts";
import { installPackages, KERNEL_PACKAGES, missingIn } from "./packages.ts";

Deno.test("missingIn() finds what dpkg does not call installed", () => {
  const text = "fio installed\nnbdkit not-installed\ngcc config-files\n";
  assertEquals(missingIn(text, ["fio", "nbdkit", "gcc", "zsh"]), ["nbdkit", "gcc", "zsh"]);
});

Deno.test("each package is listed once", () => {
  const names = Object.values(KERNEL_PACKAGES).flat();
  assertEquals(names, [...new Set(names)]);
});

oracleTest("installPackages() has nothing to do where all is there", ["dpkg-query"], async () => {
  assertEquals(await installPackages({ "essential": ["bash", "dpkg"] }), undefined);
});
