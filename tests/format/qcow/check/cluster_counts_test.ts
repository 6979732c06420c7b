// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { ClusterCounts, CountMemory } from "../../../../src/format/qcow/check/cluster_counts.ts";

Deno.test("ClusterCounts counts up to what its width allows, and says what is left", () => {
  for (const [bits, most] of [[1, 1], [2, 3], [4, 15], [8, 255], [16, 65535]] as const) {
    const counts = new ClusterCounts(bits, new CountMemory());
    assertEquals(counts.add(7, 1), 0);
    assertEquals(counts.add(7, most), 1);
    assertEquals([counts.get(6), counts.get(7), counts.get(8)], [0, most, 0]);
  }
});

Deno.test("ClusterCounts lists what is not 0 in the order of the file", () => {
  const counts = new ClusterCounts(16, new CountMemory());
  for (const cluster of [2 ** 40, 5, 4096, 4095]) counts.add(cluster, 1);
  assertEquals([...counts.clusters()], [5, 4095, 4096, 2 ** 40]);
});

Deno.test("ClusterCounts takes no more than 1 GiB", () => {
  const memory = new CountMemory();
  memory.take(1024 ** 3 - 100);
  assertThrows(() => new ClusterCounts(16, memory).add(0, 1), RangeError, "1 GiB");
});
