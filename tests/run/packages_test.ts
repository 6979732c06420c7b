// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import {
  BOOT_PACKAGES,
  KERNEL_PACKAGES,
  packageNames,
  type Packages,
} from "../support/packages.ts";
import { must, oracleTest, run } from "../support/tools.ts";
import { installPackages, missingIn } from "./packages.ts";

const PACKAGES: Packages = { ...KERNEL_PACKAGES, ...BOOT_PACKAGES };
const TESTS = new URL("../", import.meta.url).pathname;

Deno.test("missingIn() finds what dpkg does not call installed", () => {
  const text = "fio installed\nnbdkit not-installed\ngcc config-files\n";
  assertEquals(missingIn(text, ["fio", "nbdkit", "gcc", "zsh"]), ["nbdkit", "gcc", "zsh"]);
});

Deno.test("each package is listed once", () => {
  const names = packageNames(PACKAGES);
  assertEquals(names, [...new Set(names)]);
});

oracleTest("installPackages() has nothing to do where all is there", ["dpkg-query"], async () => {
  assertEquals(await installPackages({ "essential": { bash: [], dpkg: [] } }), undefined);
});

/** The programs of the list, each with its package. */
function listed(): [program: string, name: string][] {
  return Object.values(PACKAGES).flatMap(Object.entries)
    .flatMap(([name, programs]: [string, readonly string[]]) =>
      programs.map((program): [string, string] => [program, name])
    );
}

/** A program by its own name, if it is one that is chosen among alternatives. */
function ownName(program: string): string {
  try {
    return Deno.readLinkSync(`/etc/alternatives/${program}`).replace(/^.*\//, "");
  } catch {
    return program;
  }
}

oracleTest("each package that is installed has its programs", ["dpkg-query"], async () => {
  const wrong: string[] = [];
  for (const [program, name] of listed()) {
    const { code, stdout } = await run("dpkg-query", "--listfiles", name);
    const folder = program.startsWith("/") ? "^" : "/s?bin/";
    const file = new RegExp(`${folder}${RegExp.escape(ownName(program))}$`, "m");
    if (code === 0 && !file.test(stdout)) wrong.push(`${name}: ${program}`);
  }
  assertEquals(wrong, []);
});

/** Calls that run a program, which is their first argument. */
const RUNS = /(?<![.\w])(?:must\w*|run|runPatiently|patiently|Deno\.Command)\(\s*"(\w[^"/]*)"/g;
/** What measures against programs that the tests do without. */
const OWN_PROGRAMS = /^bench\//;

oracleTest("every program that tests run is in the list, with its package", ["find"], async () => {
  const known = new Set(listed().map(([program]) => program));
  const files = await must("find", TESTS, "-name", "*.ts", "-printf", "%P\n");
  const unknown: string[] = [];
  for (const path of files.trim().split("\n").filter((path) => !OWN_PROGRAMS.test(path))) {
    for (const [, program = ""] of Deno.readTextFileSync(TESTS + path).matchAll(RUNS)) {
      if (!known.has(program)) unknown.push(`${path}: ${program}`);
    }
  }
  assertEquals(unknown, []);
});
