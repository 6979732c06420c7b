/**
 * Persistent bitmaps: they say all that has been written, as qemu's would, or that they cannot.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater } from "@std/assert";
import { sameBytes } from "../../opened_image.ts";
import { memoryFolder, must, oracleTest, run, TempDirectory } from "../../../support/tools.ts";
import { checkImage } from "./checker.ts";
import { beforeRun } from "./crash_judge.ts";
import { CrashRun } from "./crash_run.ts";
import { crashStates } from "./crash_states.ts";
import { FileContent } from "./file_content.ts";
import { makeOriginal, ORIGINAL_TOOLS, qemuIo, recipeOf } from "./originals.ts";
import { type Op, Random, randomOp } from "./random_ops.ts";
import { storedBitmaps } from "./stored_bitmaps.ts";
import { WritableDisk } from "./writable_disk.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const FOLDER = memoryFolder();

function qemuLines(ops: readonly Op[]): string[] {
  return ops.map((op) => {
    switch (op.kind) {
      case "write":
        return `write -q -P 7 ${op.offset} ${op.bytes.length}`;
      case "zeros":
        return `write -q -z ${op.keep ? "" : "-u "}${op.offset} ${op.length}`;
      case "discard":
        return `discard -q ${op.offset} ${op.length}`;
      default:
        return "flush";
    }
  });
}

for (const name of ["bitmaps", "bitmaps, 64 KiB, backed"]) {
  oracleTest(`what is written is marked as by qemu: ${name}`, ORIGINAL_TOOLS, async () => {
    using folder = new TempDirectory(FOLDER);
    const original = await makeOriginal(folder.path, recipeOf(name));
    const twin = folder.file("twin.qcow2");
    for (let round = 1; round <= 4; round++) {
      Deno.copyFileSync(original.path, twin);
      const random = new Random(round);
      const sizeBytes = original.recipe.sizeBytes;
      const limits = { sizeBytes, mostBytes: 20 * KIB, unitBytes: 4 * KIB };
      const ops = Array.from({ length: 8 }, (_, id) => randomOp(random, limits, id));
      const disk = new WritableDisk(original.path);
      for (const op of ops) disk.apply(op);
      assertEquals(disk.close(), true);
      await qemuIo(twin, "qcow2", qemuLines(ops));
      const ours = storedBitmaps(Deno.readFileSync(original.path));
      const theirs = storedBitmaps(Deno.readFileSync(twin));
      const described = (list: typeof ours): unknown =>
        list.map(({ name, isValid, isAuto, granularity, tableEntries }) => ({
          name,
          isValid,
          isAuto,
          granularity,
          tableEntries,
        }));
      assertEquals(described(ours), described(theirs));
      for (const [index, bitmap] of ours.entries()) {
        for (let at = 0; at < sizeBytes; at += bitmap.granularity) {
          const isTheirs = theirs[index]?.has(at) === true;
          // A part of a cluster that is discarded does not change, whatever qemu says.
          const isDiscard = ops.some((op) =>
            op.kind === "discard" && op.offset < at + bitmap.granularity &&
            op.offset + op.length > at
          );
          if (isTheirs && !isDiscard) assert(bitmap.has(at), `${bitmap.name} lacks ${at}`);
          if (!isTheirs) assert(!bitmap.has(at), `${bitmap.name} has ${at} in vain`);
        }
      }
      const { code, stdout } = await run("qemu-img", "check", "-f", "qcow2", original.path);
      assertEquals(code, 0, stdout);
    }
  });
}

oracleTest("no state after a crash has a bitmap that lacks something", ORIGINAL_TOOLS, async () => {
  using folder = new TempDirectory(FOLDER);
  const original = await makeOriginal(folder.path, recipeOf("bitmaps"));
  const before = beforeRun(original);
  let [states, valid] = [0, 0];
  for (let seed = 1; seed <= 4; seed++) {
    const crashed = new CrashRun(original, { seed, ops: 20, keys: undefined });
    crashed.run(20, "closed");
    const random = new Random(seed);
    const files = before.files.map((bytes) => new FileContent(bytes));
    for (const state of crashStates(crashed.recording, files, { random, share: 0.5 })) {
      const bytes = state.files[0]?.bytes ?? new Uint8Array(0);
      Deno.writeFileSync(original.path, bytes);
      states++;
      assertEquals(checkImage(bytes).corruptions, []);
      using disk = new WritableDisk(original.path, { request: { readOnly: true } });
      const found = disk.read(0, disk.sizeBytes);
      for (const { name, isValid, isAuto, granularity, has } of storedBitmaps(bytes)) {
        if (!isValid || !isAuto) continue;
        valid++;
        for (let at = 0; at < found.length; at += granularity) {
          const end = at + granularity;
          if (sameBytes(found.subarray(at, end), before.disk.subarray(at, end))) continue;
          assert(has(at), `${state.what} at ${state.at}: ${name} lacks ${at}`);
        }
      }
      if (states % 40 > 0) continue;
      const { code, stdout } = await run("qemu-img", "check", "-f", "qcow2", original.path);
      assert(code === 0 || code === 3, stdout);
    }
    Deno.writeFileSync(original.path, before.files[0] ?? new Uint8Array(0));
  }
  assertGreater(states, 100);
  assertGreater(valid, 10);
});

oracleTest("bitmaps grow with the disk, and qemu takes them", ORIGINAL_TOOLS, async () => {
  using folder = new TempDirectory(FOLDER);
  const original = await makeOriginal(folder.path, recipeOf("bitmaps"));
  const disk = new WritableDisk(original.path);
  disk.write(0, new Uint8Array(512).fill(3));
  disk.apply({ kind: "grow", sizeBytes: 600 * MIB });
  disk.write(599 * MIB, new Uint8Array(512).fill(3));
  assertEquals(disk.close(), true);
  for (const { isAuto, isValid, has } of storedBitmaps(Deno.readFileSync(original.path))) {
    assertEquals([isValid, has(0), has(300 * MIB), has(599 * MIB)], [true, isAuto, false, isAuto]);
  }
  await must("qemu-img", "check", "-f", "qcow2", original.path);
  // It reads them all, and stores them again.
  await qemuIo(original.path, "qcow2", ["write -q 300M 512"]);
  const [first] = storedBitmaps(Deno.readFileSync(original.path));
  assertEquals([first?.isValid, first?.has(300 * MIB)], [true, true]);
});

oracleTest(
  "a bitmap that is in use already stays so, and others are kept",
  ORIGINAL_TOOLS,
  async () => {
    using folder = new TempDirectory(FOLDER);
    const original = await makeOriginal(folder.path, recipeOf("bitmaps"));
    {
      // As one that is killed.
      using disk = new WritableDisk(original.path);
      disk.write(0, new Uint8Array(512).fill(3));
      disk.flush();
    }
    const validity = (): boolean[] =>
      storedBitmaps(Deno.readFileSync(original.path)).map(({ isValid }) => isValid);
    assertEquals(validity(), [false, false, true]);
    await must("qemu-img", "bitmap", "--add", original.path, "later");
    const disk = new WritableDisk(original.path);
    disk.write(4096, new Uint8Array(512).fill(3));
    assertEquals(disk.close(), true);
    assertEquals(validity(), [false, false, true, true]);
    const later = storedBitmaps(Deno.readFileSync(original.path)).at(-1);
    assertEquals([later?.name, later?.has(4096)], ["later", true]);
  },
);
