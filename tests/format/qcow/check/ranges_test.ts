// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Ranges } from "../../../../src/format/qcow/check/ranges.ts";

Deno.test("Ranges has each place as often as ranges have it", () => {
  const range = fc.tuple(fc.nat(40), fc.nat(10)).map(([start, size]) => [start, start + size]);
  fc.assert(fc.property(fc.array(range), (list) => {
    const ranges = new Ranges();
    const expected = Array.from({ length: 60 }, () => 0);
    for (const [start = 0, end = 0] of list) {
      ranges.add(start, end);
      for (let at = start; at < end; at++) expected[at] = (expected[at] ?? 0) + 1;
    }
    const found = expected.map(() => 0);
    for (const { start, end, count } of ranges.segments()) {
      for (let at = start; at < end; at++) found[at] = (found[at] ?? 0) + count;
    }
    assertEquals(found, expected);
  }));
});
