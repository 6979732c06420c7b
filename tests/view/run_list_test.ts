// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { qcow } from "../../src/format/qcow/mod.ts";
import { raw } from "../../src/format/raw/mod.ts";
import { listRuns, MAX_RUNS, RunKind, RunList } from "../../src/view/run_list.ts";
import { OpenedImage, openImageFile, readRange, sameBytes } from "../format/opened_image.ts";
import { IMAGE_TOOLS, makeImage } from "../support/images.ts";
import { oracleTest, TempDirectory } from "../support/tools.ts";
import { listOf, runOf } from "./runs.ts";

const { Zero, Plain, Special } = RunKind;

/** Kind, start, end, file and place of each run. */
function described(list: RunList): number[][] {
  return Array.from({ length: list.length }, (_, run) => [
    list.kind(run),
    list.start(run),
    list.end(run),
    list.fileNumber(run),
    list.hostOffset(run),
  ]);
}

Deno.test("RunList.add() joins what goes on, in the disk and in the file", () => {
  using one = openImageFile("/dev/null");
  using other = openImageFile("/dev/null");
  const list = listOf([one, other], [
    { kind: Plain, lengthBytes: 10, hostOffset: 100 },
    { kind: Plain, lengthBytes: 10, hostOffset: 110 },
    { kind: Plain, lengthBytes: 10, hostOffset: 130 },
    { kind: Plain, lengthBytes: 10, file: 1, hostOffset: 140 },
    { kind: Zero, lengthBytes: 10 },
    { kind: Zero, lengthBytes: 10 },
    { kind: Special, lengthBytes: 10, hostOffset: 7 },
    { kind: Special, lengthBytes: 10, hostOffset: 9 },
  ]);
  assertEquals(described(list), [
    [Plain, 0, 20, 0, 100],
    [Plain, 20, 30, 0, 130],
    [Plain, 30, 40, 1, 140],
    [Zero, 40, 60, -1, 0],
    [Special, 60, 80, -1, 0],
  ]);
});

Deno.test("RunList.add() takes many runs, but not any number", () => {
  using file = openImageFile("/dev/null");
  const list = new RunList([file]);
  const zero = runOf([file], { kind: Zero, lengthBytes: 1 });
  const special = runOf([file], { kind: Special, lengthBytes: 1 });
  for (let run = 0; run < MAX_RUNS; run += 2) {
    list.add(zero);
    list.add(special);
  }
  assertEquals([list.length, list.end(MAX_RUNS - 1)], [MAX_RUNS, MAX_RUNS]);
  assertThrows(() => list.add(zero), RangeError);
});

oracleTest("listRuns() tells where the bytes of a QCOW image are", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  const made = await makeImage(folder.path, {
    name: "mixed",
    compat: "1.1",
    clusterBytes: 4096,
    sizeBytes: 5_000_192,
    filling: "mixed",
    seed: 7,
  });
  using opened = new OpenedImage(made.path, qcow);
  const list = listRuns(opened.access);
  const kinds = new Set<number>();
  for (let run = 0; run < list.length; run++) {
    const [start, length] = [list.start(run), list.end(run) - list.start(run)];
    assertEquals(start, run === 0 ? 0 : list.end(run - 1));
    const expected = readRange(made.rawPath, start, length);
    kinds.add(list.kind(run));
    if (list.kind(run) === Special) continue;
    const bytes = list.kind(run) === Zero
      ? new Uint8Array(length)
      : readRange(made.path, list.hostOffset(run), length);
    assert(sameBytes(bytes, expected), `run ${run}`);
  }
  assertEquals(list.end(list.length - 1), made.sizeBytes);
  assertEquals(kinds.size, 3);
});

Deno.test("listRuns() takes the holes of a file for what they lie in", () => {
  using folder = new TempDirectory();
  const path = folder.file("sparse");
  Deno.writeFileSync(path, new Uint8Array(4096).fill(1));
  Deno.truncateSync(path, 1024 * 1024);
  using opened = new OpenedImage(path, raw);
  assertEquals(described(listRuns(opened.access)), [[Plain, 0, 1024 * 1024, 0, 0]]);
});
