// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { must, TempDirectory } from "../support/tools.ts";
import { leftOut, leftOutLines } from "./left_out.ts";

const TESTS = `
  Deno.test("runs", () => {});
  Deno.test({ name: 'a "<b>" [skipped: not root]', ignore: true, fn: () => {} });
  Deno.test({ name: "c [skipped: qemu-img, fio not installed]", ignore: true, fn: () => {} });
  Deno.test({ name: "d [skipped: not root]", ignore: true, fn: () => {} });
  Deno.test({ name: "e", ignore: true, fn: () => {} });
  Deno.test({ name: "f [skipped: fio not installed]", ignore: true, fn: () => {} });
`;

/** The report of a run. */
async function report(tests: string): Promise<string> {
  using folder = new TempDirectory();
  const [file, path] = [folder.file("some_test.ts"), folder.file("report.xml")];
  Deno.writeTextFileSync(file, tests);
  await must(
    Deno.execPath(),
    "test",
    "--no-config",
    "--no-check",
    "--quiet",
    `--junit-path=${path}`,
    file,
  );
  return Deno.readTextFileSync(path);
}

Deno.test("leftOut() counts the reasons of tests that were skipped", async () => {
  assertEquals(leftOut(await report(TESTS)), [
    ["not root", 2],
    ["qemu-img, fio not installed", 1],
    ["for reasons of their own", 1],
    ["fio not installed", 1],
  ]);
});

Deno.test("leftOutLines() sums them up, and says nothing where nothing was left out", async () => {
  assertEquals(leftOutLines(await report(TESTS)), [
    "left out: 5 tests",
    "    2  not installed: fio (2), qemu-img (1)",
    "    2  not root",
    "    1  for reasons of their own",
  ]);
  assertEquals(leftOutLines(await report('Deno.test("runs", () => {});')), []);
});
