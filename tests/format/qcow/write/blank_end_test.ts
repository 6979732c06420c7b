/**
 * Images that a daemon left that was killed: they end in holes that nobody uses, and the next daemon's
 * answers outlive its end as the first one's did.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater } from "@std/assert";
import { sameBytes } from "../../opened_image.ts";
import { memoryFolder, must, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { beforeRun, judge } from "./crash_judge.ts";
import { makeOriginal, type Original, ORIGINAL_TOOLS, recipeOf } from "./originals.ts";
import { type Op, stampedBytes } from "./random_ops.ts";
import { scriptedRun } from "./scripted_run.ts";
import { WritableDisk } from "./writable_disk.ts";

const KIB = 1024;
const NAMES = ["empty", "half full", "64 KiB", "version 2", "extended L2"];

function write(id: number, offset: number, length = 4 * KIB): Op {
  return { kind: "write", offset, bytes: stampedBytes(offset, length, id) };
}

/** Writes to the image, and flushes nothing. */
function writeAndBeKilled({ path }: Original, op: Op): void {
  using disk = new WritableDisk(path);
  disk.apply(op);
}

for (const name of NAMES) {
  oracleTest(
    `what is answered outlives the daemons that are killed one after the other: ${name}`,
    ORIGINAL_TOOLS,
    async () => {
      using folder = new TempDirectory(memoryFolder());
      const recipe = recipeOf(name);
      const original = await makeOriginal(folder.path, recipe);
      // Behind what is in the image.
      const places = [1, 2, 3, 4].map((id) => recipe.sizeBytes - id * 64 * KIB);
      for (const [index, offset] of places.entries()) {
        writeAndBeKilled(original, write(index + 1, offset));
        using disk = new WritableDisk(original.path, { request: { readOnly: true } });
        for (const [id, place] of places.slice(0, index + 1).entries()) {
          const told = `after kill ${index + 1}: write ${id + 1}`;
          const wanted = stampedBytes(place, 4 * KIB, id + 1);
          assert(sameBytes(disk.read(place, 4 * KIB), wanted), told);
        }
      }
      const disk = new WritableDisk(original.path);
      disk.write(0, new Uint8Array(512));
      assertEquals(disk.close(), true);
      await must("qemu-img", "check", "-r", "leaks", "-f", "qcow2", original.path);
    },
  );

  oracleTest(
    `what crashes leave of an image that a daemon left that was killed: ${name}`,
    ORIGINAL_TOOLS,
    async () => {
      using folder = new TempDirectory(memoryFolder());
      const recipe = recipeOf(name);
      const original = await makeOriginal(folder.path, recipe);
      writeAndBeKilled(original, write(1, recipe.sizeBytes - 64 * KIB));
      const before = beforeRun(original);
      const end = recipe.sizeBytes;
      const ops: Op[] = [
        write(2, end - 128 * KIB, 24 * KIB),
        { kind: "discard", offset: end - 64 * KIB, length: 64 * KIB },
        write(3, end - 192 * KIB),
        { kind: "flush" },
        write(4, end - 64 * KIB, 8 * KIB),
        write(5, 0, 20 * KIB),
      ];
      const how = { share: 0.5, qemuEvery: 20, reopenEvery: 20 };
      const verdict = await judge(original, before, scriptedRun(original, ops), how);
      assertEquals(verdict.faults, []);
      assertGreater(verdict.states, ops.length);
    },
  );
}

oracleTest(
  "what lies in the end of the file is no zeros, though nobody uses it",
  ORIGINAL_TOOLS,
  async () => {
    using folder = new TempDirectory(memoryFolder());
    const original = await makeOriginal(folder.path, recipeOf("empty"));
    const { path } = original;
    const { size } = Deno.statSync(path);
    // Of three clusters, one is a hole, and so is all that follows.
    Deno.truncateSync(path, size + 1024 * KIB);
    {
      using file = Deno.openSync(path, { write: true });
      for (const at of [size, size + 8 * KIB]) {
        file.seekSync(at, Deno.SeekMode.Start);
        file.writeSync(new Uint8Array(4 * KIB).fill(0xee));
      }
    }
    // Parts of clusters, the rest of which are zeros.
    for (let id = 1; id <= 6; id++) {
      const offset = id * 64 * KIB;
      using disk = new WritableDisk(path);
      disk.apply(write(id, offset, 512));
      assertEquals(disk.flush(), true);
      const found = disk.read(offset, 4 * KIB);
      assert(sameBytes(found.subarray(0, 512), stampedBytes(offset, 512, id)), `write ${id}`);
      assert(found.subarray(512).every((byte) => byte === 0), `behind write ${id}`);
    }
  },
);
