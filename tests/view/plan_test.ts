// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import fc from "fast-check";
import { NO_BLOCK } from "../../src/view/layout.ts";
import { ChunkSource } from "../../src/view/chunk_walker.ts";
import { planView, type ViewPlan } from "../../src/view/plan.ts";
import { RunKind, type RunList } from "../../src/view/run_list.ts";
import { openImageFile } from "../format/opened_image.ts";
import { anyRuns, listOf, type RunWords, sizeOf } from "./runs.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** Behind which no block of 4 KiB can be named. */
const LAST_OFFSET = NO_BLOCK * 4 * KIB;

interface Chunk {
  readonly source: number;
  readonly hostOffset: number;
}

function chunksOf(plan: ViewPlan): Map<number, Chunk> {
  const chunks = new Map<number, Chunk>();
  let last = -1;
  plan.forEachChunk((chunk, source, hostOffset) => {
    assert(chunk > last && chunk < plan.chunks, `chunk ${chunk} after ${last}`);
    last = chunk;
    chunks.set(chunk, { source, hostOffset });
  });
  return chunks;
}

/** Numbers of the runs that a chunk has bytes of. */
function runsIn(runs: RunList, [start, end]: readonly [number, number]): number[] {
  return Array.from({ length: runs.length }, (_, run) => run)
    .filter((run) => runs.start(run) < end && runs.end(run) > start);
}

/** Every chunk lies where its bytes are, within its file, and at a block that can be named. */
function check(runs: RunList, plan: ViewPlan, fileSizes: readonly number[]): void {
  const { sizeBytes, chunkBits, blockBits } = plan;
  const [chunkBytes, blockBytes] = [2 ** chunkBits, 2 ** blockBits];
  assert(blockBits >= 9 && blockBits <= 12 && chunkBits >= 12 && chunkBits <= 21);
  assertEquals(plan.chunks, Math.ceil(sizeBytes / chunkBytes));
  const chunks = chunksOf(plan);
  const copies: number[] = [];
  const counts = { plain: 0, server: 0 };
  for (let chunk = 0; chunk < plan.chunks; chunk++) {
    const [start, end] = [chunk * chunkBytes, Math.min((chunk + 1) * chunkBytes, sizeBytes)];
    const inside = runsIn(runs, [start, end]);
    const kinds = new Set(inside.map((run) => runs.kind(run)));
    const { source, hostOffset } = chunks.get(chunk) ?? { source: ChunkSource.Zero, hostOffset: 0 };
    if (source === ChunkSource.Zero) {
      assertEquals([...kinds], [RunKind.Zero]);
    } else if (source === ChunkSource.Copy) {
      copies.push(chunk);
      assert(!kinds.has(RunKind.Special), `chunk ${chunk} cannot be copied`);
    } else if (source === ChunkSource.Server) {
      counts.server++;
    } else {
      counts.plain++;
      const run = inside[0] ?? -1;
      assertEquals([inside.length, runs.kind(run)], [1, RunKind.Plain]);
      assertEquals(runs.fileNumber(run), source);
      assertEquals(hostOffset, runs.hostOffset(run) + start - runs.start(run));
      assertEquals(hostOffset % blockBytes, 0);
      const blocks = Math.ceil((end - start) / blockBytes);
      assertLessOrEqual(hostOffset + blocks * blockBytes, fileSizes[source] ?? 0);
      assert(hostOffset / blockBytes + blocks < NO_BLOCK);
    }
  }
  assertEquals(plan.copies, copies);
  assertEquals([plan.plainChunks, plan.serverChunks], [counts.plain, counts.server]);
  assertLessOrEqual(copies.length * chunkBytes, 8 * MIB);
}

function planned(runs: readonly RunWords[], fileSizes: readonly number[]): ViewPlan {
  using file = openImageFile("/dev/null");
  using second = openImageFile("/dev/null");
  using third = openImageFile("/dev/null");
  const list = listOf([file, second, third], runs);
  const plan = planView(list, { sizeBytes: sizeOf(runs), fileSizes });
  check(list, plan, fileSizes);
  return plan;
}

Deno.test("planView() never leaves a file, whatever the runs say", () => {
  const sizes = fc.array(
    fc.oneof(fc.integer({ min: 0, max: 64 * MIB }), fc.constantFrom(LAST_OFFSET, 2 ** 52)),
    { minLength: 3, maxLength: 3 },
  );
  const offsets = fc.constantFrom(64 * MIB, 512 * NO_BLOCK, LAST_OFFSET, 2 ** 50);
  const cases = fc.tuple(offsets.chain((most) => anyRuns(most)), sizes);
  fc.assert(fc.property(cases, ([runs, fileSizes]) => void planned(runs, fileSizes)), {
    numRuns: 400,
  });
});

Deno.test("planView() takes clusters as chunks", () => {
  const clusterBytes = 64 * KIB;
  const runs = Array.from({ length: 200 }, (_, index) => ({
    kind: RunKind.Plain,
    lengthBytes: clusterBytes,
    hostOffset: (400 - index) * clusterBytes,
  }));
  const plan = planned(runs, [1000 * clusterBytes]);
  assertEquals([plan.chunkBits, plan.blockBits], [16, 12]);
  assertEquals([plan.plainChunks, plan.serverChunks, plan.copies], [200, 0, []]);
});

Deno.test("planView() copies one odd place instead of making all chunks small", () => {
  const odd = 100 * MIB + 512;
  const plan = planned([
    { kind: RunKind.Plain, lengthBytes: odd, hostOffset: 0 },
    { kind: RunKind.Zero, lengthBytes: 10 * 1024 * MIB - odd },
  ], [odd]);
  assertEquals(plan.copies.length, 1);
  assertLessOrEqual(plan.chunks * 8, 8 * MIB);
});

Deno.test("planView() uses blocks of 512 bytes where data lie so", () => {
  const runs = [{ kind: RunKind.Plain, lengthBytes: 4 * MIB, hostOffset: 512 * 7 }];
  assertEquals(planned(runs, [8 * MIB]).blockBits, 9);
});

Deno.test("planView() copies a file's last partial block", () => {
  const plan = planned([{ kind: RunKind.Plain, lengthBytes: 64 * KIB, hostOffset: 0 }], [
    64 * KIB - 512,
  ]);
  assertEquals([plan.copies, plan.plainChunks, plan.serverChunks], [[0], 0, 0]);
});

Deno.test("planView() refuses a disk with too many clusters", () => {
  const list = listOf([], [
    { kind: RunKind.Special, lengthBytes: 4 * KIB },
    { kind: RunKind.Zero, lengthBytes: 2 ** 52 },
  ]);
  const sizeBytes = 2 ** 52 + 4 * KIB;
  assertThrows(() => planView(list, { sizeBytes, fileSizes: [] }), RangeError, "too many");
});

Deno.test("planView() leaves to a server what only that can read, or what would be much to copy", () => {
  const special = planned([
    { kind: RunKind.Special, lengthBytes: 64 * KIB },
    { kind: RunKind.Plain, lengthBytes: 64 * KIB, hostOffset: 0 },
  ], [64 * KIB]);
  assertEquals([special.serverChunks, special.plainChunks], [1, 1]);
  const unaligned = planned([
    { kind: RunKind.Plain, lengthBytes: 64 * MIB, hostOffset: 100 },
  ], [80 * MIB]);
  assertEquals([unaligned.copies, unaligned.plainChunks], [[], 0]);
  assert(unaligned.serverChunks > 0);
});

for (
  const [what, hostOffset, isPlain] of [
    ["the last block that can be named", LAST_OFFSET - 8 * KIB, true],
    ["a block that stands for a hole", LAST_OFFSET - 4 * KIB, false],
    ["a block past 32 bits", LAST_OFFSET + 4 * KIB, false],
  ] as const
) {
  Deno.test(`planView() knows that ${what} ${isPlain ? "can" : "cannot"} be a chunk`, () => {
    const plan = planned([{ kind: RunKind.Plain, lengthBytes: 4 * KIB, hostOffset }], [2 ** 52]);
    assertEquals([plan.plainChunks, plan.copies.length], isPlain ? [1, 0] : [0, 1]);
  });
}
