// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { IN_USE } from "../../../src/format/parallels/layout.ts";
import { parallels } from "../../../src/format/parallels/mod.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { oracleTest, run, TempDirectory } from "../../support/tools.ts";
import { openImageFile } from "../opened_image.ts";
import { buildParallels, type ParallelsParts } from "./image_builder.ts";

// It stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

/** What the check finds, with qemu's keys, and its words. */
function check(path: string): [numbers: Record<string, unknown>, words: string[]] {
  using file = openImageFile(path);
  const words: string[] = [];
  const found = parallels.check?.(file, { repair: "none", report: (line) => words.push(line) });
  const numbers = {
    "corruptions": found?.corruptions,
    "leaks": found?.leaks,
    "image-end-offset": found?.imageEndOffset,
    "total-clusters": found?.totalClusters,
    "allocated-clusters": found?.allocatedClusters,
    "fragmented-clusters": found?.fragmentedClusters,
  };
  return [Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== 0)), words];
}

const CASES: readonly [name: string, parts: ParallelsParts, more?: number][] = [
  ["nothing", { bat: [0, 1, undefined, 3] }],
  ["clusters in another order", { bat: [3, 1, 2, 0] }],
  ["an image that was not closed", { bat: [0, 1, 2, 3], header: { inuse: IN_USE } }],
  ["bytes behind the last cluster", { bat: [0, 1, 2, 3] }, 5 * 4096 + 1],
  ["an older image", { bat: [2, undefined, 3], isOld: true }],
];

for (const [name, parts, more = 0] of CASES) {
  oracleTest(`parallels is checked as by qemu-img: ${name}`, ["qemu-img"], async () => {
    using folder = new TempDirectory();
    const path = folder.file("x.hds");
    const bytes = buildParallels(parts);
    Deno.writeFileSync(path, bytes);
    Deno.truncateSync(path, bytes.length + more);
    const { stdout } = await run("qemu-img", "check", "-f", "parallels", "--output=json", path);
    const { filename: _name, format: _format, "check-errors": _errors, ...theirs } = JSON.parse(
      stdout,
    );
    assertEquals(check(path)[0], theirs);
  });
}

for (const isOld of [false, true]) {
  oracleTest(`parallels finds clusters outside the file, old: ${isOld}`, ["qemu-img"], async () => {
    using folder = new TempDirectory();
    const path = folder.file("x.hds");
    Deno.writeFileSync(path, buildParallels({ bat: [0, 1, 2, 99, 3], isOld }));
    const { stdout } = await run("qemu-img", "check", "-f", "parallels", "--output=json", path);
    // qemu counts them as allocated all the same, and so has the image end outside its file.
    assertEquals(check(path)[0].corruptions, JSON.parse(stdout).corruptions);
    assertEquals(check(path)[0]["allocated-clusters"], 4);
  });
}

Deno.test("parallels says of clusters that are stored in one place that they are", () => {
  using folder = new TempDirectory();
  Deno.writeFileSync(folder.file("x.hds"), buildParallels({ bat: [0, 1, 2, 1] }));
  const [{ corruptions }, words] = check(folder.file("x.hds"));
  assertEquals([corruptions, words], [1, [
    "cluster 3 is at 0x2000, where another one is",
    "4096 bytes behind the last cluster are not used",
  ]]);
});
