// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { copiesFrom, distinctStarts } from "../../src/view/file_starts.ts";

const KIB = 1024;
const UNIT_BYTES = 64 * KIB;
/** Where served blocks begin, modulo the unit: see SERVED_LEAD_BYTES. */
const SERVED = 4 * KIB;
const LARGE = { isFixed: false, sizeBytes: 2 ** 40, leastOffset: Infinity };

Deno.test("distinctStarts() gives no two devices the same numbers, and leaves nothing out", () => {
  const file = fc.record({
    isFixed: fc.boolean(),
    sizeBytes: fc.constantFrom(0, 512, 5000, 2 ** 20, 2 ** 40),
    leastOffset: fc.constantFrom(0, 4096, 8192, 65536, Infinity),
  });
  fc.assert(fc.property(fc.array(file, { maxLength: 14 }), (files) => {
    const starts = distinctStarts(files, UNIT_BYTES);
    if (starts === undefined) return;
    const numbers = starts.map((start) => (UNIT_BYTES - start) % UNIT_BYTES);
    numbers.push(SERVED, copiesFrom(12345, UNIT_BYTES) % UNIT_BYTES);
    assertEquals(new Set(numbers).size, files.length + 2);
    files.forEach(({ isFixed, sizeBytes, leastOffset }, index) => {
      const start = starts[index] ?? -1;
      assert(start >= 0 && start <= leastOffset && start <= sizeBytes && (!isFixed || start === 0));
    });
  }));
});

Deno.test("distinctStarts() lets the file begin at its start that is needed from there on", () => {
  const raw = { ...LARGE, leastOffset: 0 };
  assertEquals(distinctStarts([LARGE, raw], UNIT_BYTES), [4096, 0]);
  assertEquals(distinctStarts([raw, raw], UNIT_BYTES), undefined);
});

Deno.test("distinctStarts() says when there are too many files", () => {
  const files = (count: number) => Array.from({ length: count }, () => LARGE);
  assertEquals(distinctStarts(files(14), UNIT_BYTES)?.at(-1), 13 * 4096);
  assertEquals(distinctStarts(files(15), UNIT_BYTES), undefined);
  assertEquals(distinctStarts(files(1), 8 * KIB), undefined);
});
