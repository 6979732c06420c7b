// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertNotEquals } from "@std/assert";
import { firstWrites } from "./first_writes.ts";
import type { Job } from "./jobs.ts";

const JOB: Job = {
  name: "j",
  pattern: "randwrite",
  blockBytes: 4096,
  alignBytes: 65536,
  isFresh: true,
  depth: 1,
  clients: 1,
  cache: "hot",
  images: ["w-empty"],
};

Deno.test("firstWrites() writes to each place once, in an order that is always the same", () => {
  const plan = firstWrites(JOB, 1000 * 65536 + 5);
  const writes = plan.split("\n").filter((line) => line.includes(" write "));
  const offsets = writes.map((line) => Number(line.split(" ")[2]));
  const sorted = Array.from({ length: 1000 }, (_, index) => index * 65536);
  assertNotEquals(offsets, sorted);
  assertEquals(offsets.toSorted((a, b) => a - b), sorted);
  assertEquals(writes[0]?.split(" ")[3], "4096");
  assertEquals(firstWrites(JOB, 1000 * 65536 + 5), plan);
});

Deno.test("firstWrites() flushes after so many", () => {
  const plan = firstWrites({ ...JOB, flushEvery: 8 }, 20 * 65536).split("\n").map((line) =>
    line.split(" ")[1]
  );
  const eight = Array(8).fill("write");
  assertEquals(plan.slice(3), [
    ...eight,
    "sync",
    ...eight,
    "sync",
    ...eight.slice(0, 4),
    "close",
    undefined,
  ]);
});
