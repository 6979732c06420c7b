// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { median, ratioPerRound } from "./stats.ts";

Deno.test("median() takes the middle, or the mean of the two middle values", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([10, 1, 2, 3]), 2.5);
  assertEquals(median([7]), 7);
  assertEquals(median([]), NaN);
});

Deno.test("median() sorts numbers, not texts, and leaves its argument alone", () => {
  const values = [100, 9, 20];
  assertEquals(median(values), 20);
  assertEquals(values, [100, 9, 20]);
});

Deno.test("ratioPerRound() compares round by round", () => {
  // The medians alone would say 20 / 10; in no round was it less than 3.
  assertEquals(ratioPerRound([30, 20, 10], [10, 5, 2]), { median: 4, lowest: 3, highest: 5 });
});
