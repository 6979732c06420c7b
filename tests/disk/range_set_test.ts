// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { RangeSet } from "../../src/disk/range_set.ts";
import { randomNumbers } from "../support/images.ts";

const SIZE = 40;

Deno.test("RangeSet has what was added, and gaps between", () => {
  const random = randomNumbers(1);
  const below = (count: number): number => Math.floor(random() * count);
  for (let run = 0; run < 300; run++) {
    const set = new RangeSet();
    const model = new Array<boolean>(SIZE).fill(false);
    for (let n = 0; n < 12; n++) {
      const start = below(SIZE);
      const end = start + below(SIZE - start);
      set.add(start, end);
      model.fill(true, start, end);
      const from = below(SIZE);
      const to = from + below(SIZE - from + 1);
      const gaps = set.gaps(from, to);
      const missing = new Array<boolean>(SIZE).fill(true);
      for (const gap of gaps) missing.fill(false, gap.start, gap.end);
      assertEquals(missing.slice(from, to), model.slice(from, to));
      assertEquals(
        gaps.every((gap, at) => gap.start < gap.end && gap.start > (gaps[at - 1]?.end ?? -1)),
        true,
      );
      assertEquals(gaps.every((gap) => gap.start >= from && gap.end <= to), true);
    }
  }
});
