/**
 * Disks that are made larger: what they get is zeros, and a crash at any point leaves the old size or
 * the new one.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals, assertGreater, assertThrows } from "@std/assert";
import { sameBytes } from "../../opened_image.ts";
import { memoryFolder, must, oracleTest, run, TempDirectory } from "../../../support/tools.ts";
import { checkImage } from "./checker.ts";
import { beforeRun, judge } from "./crash_judge.ts";
import {
  makeOriginal,
  type Original,
  ORIGINAL_RECIPES,
  ORIGINAL_TOOLS,
  type OriginalRecipe,
  qemuIo,
  recipeOf,
} from "./originals.ts";
import { type ScriptedOp, stampedBytes } from "./random_ops.ts";
import { scriptedRun } from "./scripted_run.ts";
import { WritableDisk } from "./writable_disk.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const FOLDER = memoryFolder();
const FLUSH: ScriptedOp = { kind: "flush" };

/** Images that can get larger. */
const RECIPES = ORIGINAL_RECIPES.filter(({ options, afterSnapshot }) =>
  !options.includes("compat=0.10") || afterSnapshot === undefined
);
/** What lies below them is longer, so that it would show behind the end. */
const BACKED: readonly OriginalRecipe[] = (["raw", "qcow2"] as const).map((format) => ({
  name: `backed by a longer file, ${format}`,
  sizeBytes: 300 * KIB + 512,
  options: ["cluster_size=4096"],
  backing: { sizeBytes: 900 * KIB, format },
  commands: ["write -q -P 9 0 10k", "write -q -P 8 290k 10k"],
}));
const VERSION_2: OriginalRecipe = {
  name: "version 2, backed by a longer file",
  sizeBytes: 300 * KIB,
  options: ["cluster_size=4096", "compat=0.10"],
  backing: { sizeBytes: 500 * KIB, format: "raw" },
};

function write(id: number, offset: number, length: number): ScriptedOp {
  return { kind: "write", offset, bytes: stampedBytes(offset, length, id) };
}

function diskOf({ path, keys }: Original): WritableDisk {
  return new WritableDisk(path, keys === undefined ? {} : { keys });
}

for (const recipe of [...RECIPES, ...BACKED, VERSION_2]) {
  oracleTest(`a disk gets larger, and is zeros there: ${recipe.name}`, ORIGINAL_TOOLS, async () => {
    using folder = new TempDirectory(FOLDER);
    const original = await makeOriginal(folder.path, recipe);
    const disk = diskOf(original);
    const before = disk.read(0, disk.sizeBytes);
    const oldBytes = disk.sizeBytes;
    const sizes = [512, 64 * KIB, 300 * KIB, 4 * MIB, 11 * MIB].map((more) => oldBytes + more);
    for (const [n, sizeBytes] of sizes.entries()) {
      disk.apply({ kind: "grow", sizeBytes });
      assertEquals(disk.sizeBytes, sizeBytes);
      // At its new end, if that is not too far.
      disk.write(sizeBytes - 512, stampedBytes(sizeBytes - 512, 512, n));
    }
    const wanted = new Uint8Array(disk.sizeBytes);
    wanted.set(before);
    for (const [n, sizeBytes] of sizes.entries()) {
      wanted.set(stampedBytes(sizeBytes - 512, 512, n), sizeBytes - 512);
    }
    assertEquals(sameBytes(disk.read(0, disk.sizeBytes), wanted), true);
    assertEquals(disk.close(), true);
    assertEquals(checkImage(Deno.readFileSync(original.path)), { corruptions: [], leaks: 0 });
    {
      using again = diskOf(original);
      assertEquals(again.sizeBytes, wanted.length);
      assertEquals(sameBytes(again.read(0, wanted.length), wanted), true);
    }
    if (original.keys !== undefined) return;
    const { code, stdout } = await run("qemu-img", "check", "-f", "qcow2", original.path);
    assertEquals(code, 0, stdout);
  });
}

/** Of some kinds: each state is looked at whole. */
const CRASHED = [
  "half full",
  "empty, 512 B",
  "backed by a longer file, raw",
  "compressed",
  "snapshot",
  "snapshot, 512 B, compressed",
  "odd size",
  "extended L2, backed",
  "raw data file",
  "LUKS",
  "counts of 64 bits",
  "counts of 64 bits, their table nearly full",
];

for (const name of CRASHED) {
  oracleTest(`crashes leave the old size or the new one: ${name}`, ORIGINAL_TOOLS, async () => {
    using folder = new TempDirectory(FOLDER);
    const recipe = [...RECIPES, ...BACKED].find((one) => one.name === name);
    if (recipe === undefined) throw new Error("no such image");
    const original = await makeOriginal(folder.path, recipe);
    const end = Math.floor(recipe.sizeBytes / 512) * 512;
    const ops = [
      write(1, 0, 8 * KIB),
      FLUSH,
      write(2, end - 4 * KIB, 4 * KIB),
      { kind: "grow", sizeBytes: end + 300 * KIB } as const,
      write(3, end + 1024, 20 * KIB),
      FLUSH,
      write(4, end + 100 * KIB, 20 * KIB),
      { kind: "grow", sizeBytes: 3 * MIB } as const,
      write(5, 3 * MIB - 4 * KIB, 4 * KIB),
      FLUSH,
    ];
    const before = beforeRun(original, 3 * MIB);
    const how = { share: 0.7, qemuEvery: 20, reopenEvery: 20 };
    const verdict = await judge(original, before, scriptedRun(original, ops), how);
    assertEquals(verdict.faults.slice(0, 5), []);
    assertGreater(verdict.states, 20);
  });
}

oracleTest(
  "a data file that has become longer meanwhile is not cut off",
  ORIGINAL_TOOLS,
  async () => {
    using folder = new TempDirectory(FOLDER);
    const recipe = recipeOf("raw data file");
    const { path, dataPath = "" } = await makeOriginal(folder.path, recipe);
    using disk = new WritableDisk(path);
    Deno.truncateSync(dataPath, 20 * MIB);
    disk.apply({ kind: "grow", sizeBytes: 10 * MIB });
    assertEquals(Deno.statSync(dataPath).size, 20 * MIB);
    assertEquals(disk.sizeBytes, 10 * MIB);
  },
);

oracleTest("what the state of a machine has left behind the end does not show", [
  ...ORIGINAL_TOOLS,
  "qemu-img",
], async () => {
  using folder = new TempDirectory(FOLDER);
  const path = folder.file("image.qcow2");
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=4096", path, "2M");
  // Bytes where such a state lies: the disk was larger when they were written.
  await must("qemu-img", "resize", "-q", "-f", "qcow2", path, "10M");
  await qemuIo(path, "qcow2", ["write -q -P 7 2M 8M"]);
  const bytes = Deno.readFileSync(path);
  new DataView(bytes.buffer).setBigUint64(24, 2n * 1024n * 1024n);
  Deno.writeFileSync(path, bytes);
  const disk = new WritableDisk(path);
  disk.apply({ kind: "grow", sizeBytes: 6 * MIB });
  assertEquals(disk.read(2 * MIB, 4 * MIB).every((byte) => byte === 0), true);
  assertEquals(disk.close(), true);
  const { code, stdout } = await run("qemu-img", "check", "-f", "qcow2", path);
  assertEquals(code, 0, stdout);
});

oracleTest("what cannot be described is refused, and changes nothing", ORIGINAL_TOOLS, async () => {
  using folder = new TempDirectory(FOLDER);
  const path = folder.file("image.qcow2");
  const options = ["-o", "cluster_size=512,compat=0.10"];
  await must("qemu-img", "create", "-q", "-f", "qcow2", ...options, path, "1M");
  const grow = (sizeBytes: number): void => {
    using disk = new WritableDisk(path);
    disk.apply({ kind: "grow", sizeBytes });
  };
  assertThrows(() => grow(512 * KIB), RangeError, "has 1048576 bytes, and is not made smaller");
  assertThrows(() => grow(MIB + 1), RangeError, "multiple of 512");
  assertThrows(() => grow(2 ** 40), RangeError, "an image has 137438953472 bytes at most");
  await must("qemu-img", "snapshot", "-q", "-c", "one", path);
  assertThrows(() => grow(2 * MIB), RangeError, "version 2");
  await must("qemu-img", "snapshot", "-q", "-d", "one", path);
});
