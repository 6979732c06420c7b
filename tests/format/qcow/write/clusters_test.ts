// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse } from "@std/assert";
import { ClusterRuns } from "../../../../src/format/qcow/write/cluster_runs.ts";
import { ClusterSet } from "../../../../src/format/qcow/write/cluster_set.ts";

Deno.test("ClusterSet has what was added, wherever that lies", () => {
  const set = new ClusterSet();
  const clusters = [0, 31, 32, 32767, 32768, 2 ** 31, 2 ** 43 + 5];
  for (const cluster of clusters) {
    assertFalse(set.has(cluster));
    assert(set.add(cluster));
    assertFalse(set.add(cluster));
    assert(set.has(cluster));
    assertFalse(set.has(cluster + 1) && !clusters.includes(cluster + 1));
  }
  set.delete(32);
  assertEquals(clusters.filter((cluster) => !set.has(cluster)), [32]);
});

Deno.test("ClusterRuns joins what continues the last run, and gives runs back from the end", () => {
  const runs = new ClusterRuns();
  runs.add(5, 2);
  runs.add(7, 1);
  runs.add(7, 1);
  const others = new ClusterRuns();
  others.add(20, 600);
  runs.takeOver(others);
  assertEquals([runs.runs, others.runs], [3, 0]);
  assertEquals(runs.takeLast(256), [364, 256]);
  assertEquals(runs.takeLast(1000), [20, 344]);
  assertEquals(runs.takeLast(1000), [7, 1]);
  assertEquals(runs.takeLast(1000), [5, 3]);
  assertEquals(runs.takeLast(1000), undefined);
});
