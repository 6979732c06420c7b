/**
 * Short series of changes after which other programs that are killed have lost data, or show those of
 * another place (found in qemu 7.2): a kill, or a power failure, at each of their steps.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals, assertGreater } from "@std/assert";
import { memoryFolder, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { beforeRun, judge } from "./crash_judge.ts";
import { makeOriginal, ORIGINAL_TOOLS, recipeOf } from "./originals.ts";
import { type Op, stampedBytes } from "./random_ops.ts";
import { scriptedRun } from "./scripted_run.ts";

const KIB = 1024;
const FOLDER = memoryFolder();
const FLUSH: Op = { kind: "flush" };

function write(id: number, offset: number, length = 4 * KIB): Op {
  return { kind: "write", offset, bytes: stampedBytes(offset, length, id) };
}

function discard(offset: number, length: number): Op {
  return { kind: "discard", offset, length };
}

function zeros(offset: number, length: number, keep: boolean): Op {
  return { kind: "zeros", offset, length, keep };
}

/** All states that crashes can leave after `ops`, of a new image of the recipe `name`. */
async function judged(name: string, ops: readonly Op[]): Promise<void> {
  using folder = new TempDirectory(FOLDER);
  const recipe = recipeOf(name);
  const original = await makeOriginal(folder.path, recipe);
  const before = beforeRun(original);
  const how = { share: 1, qemuEvery: 10, reopenEvery: 10 };
  const verdict = await judge(original, before, scriptedRun(original, ops), how);
  assertEquals(verdict.faults, []);
  assertGreater(verdict.states, ops.length);
}

const COMPRESSED: readonly (readonly [string, number])[] = [
  ["compressed", 4 * KIB],
  ["compressed, 64 KiB, zstd", 64 * KIB],
  ["extended L2, compressed", 16 * KIB],
];

for (const [name, clusterBytes] of COMPRESSED) {
  oracleTest(
    `W1: no cluster is used again while something on the disk refers to it (${name})`,
    ORIGINAL_TOOLS,
    async () => {
      // The two share a cluster of the file, which is free when both have been written elsewhere.
      const both = [write(1, 0), write(2, clusterBytes)];
      const third = write(3, 5 * clusterBytes);
      await judged(name, [...both, third]);
      await judged(name, [...both, third, FLUSH, write(4, 3 * clusterBytes), write(5, 0)]);
      await judged(name, [both[0] ?? FLUSH, FLUSH, both[1] ?? FLUSH, third, FLUSH, write(4, 0)]);
    },
  );
}

/** What is written to an encrypted image, or has to be copied, takes the first free cluster, not one in reserve. */
const CLEARED: readonly (readonly [string, number])[] = [
  ["half full", 4 * KIB],
  ["backed by qcow2", 2 * KIB],
  ["snapshot", 4 * KIB],
  ["compressed", 4 * KIB],
  ["extended L2, snapshot", 16 * KIB],
  ["AES", 4 * KIB],
];

for (const [name, clusterBytes] of CLEARED) {
  oracleTest(
    `W2: what is discarded, or made zeros, never shows what is written elsewhere (${name})`,
    ORIGINAL_TOOLS,
    async () => {
      const range = [clusterBytes, 2 * clusterBytes] as const;
      for (const clear of [discard(...range), zeros(...range, false), zeros(...range, true)]) {
        // Where nothing is yet: new clusters are needed.
        const others = [write(1, 300 * KIB), write(2, 400 * KIB, clusterBytes)];
        await judged(name, [clear, ...others]);
        await judged(name, [clear, FLUSH, ...others, FLUSH, write(3, clusterBytes), ...others]);
        await judged(name, [write(3, clusterBytes), FLUSH, clear, ...others, clear]);
      }
    },
  );
}
