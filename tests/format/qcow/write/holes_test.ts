// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { Holes } from "../../../../src/format/qcow/write/holes.ts";

Deno.test("Holes joins clusters that come one before or behind the other, and no others", () => {
  const punched: (readonly [first: number, count: number])[] = [];
  const holes = new Holes({ punch: (first, count) => void punched.push([first, count]) });
  holes.end();
  for (const cluster of [9, 8, 7, 5, 6, 4, 2]) holes.add(cluster);
  assertEquals(holes.punched, 2);
  holes.end();
  holes.end();
  assertEquals(punched, [[7, 3], [4, 3], [2, 1]]);
  assertEquals(holes.punched, 3);
});
