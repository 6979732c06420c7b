// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { DirtyBits } from "../../../../src/format/qcow/write/bitmaps/dirty_bits.ts";

const PART_BITS = 9;
const PARTS = 200;
const DISK_BYTES = PARTS * 2 ** PART_BITS - 100;

function partsOf(bits: DirtyBits, start: number, end: number): number[] {
  const parts: number[] = [];
  bits.forEach(start, end, (guestOffset) => parts.push(guestOffset / 2 ** PART_BITS));
  return parts;
}

Deno.test("DirtyBits has every part of which something was marked, and no other", () => {
  const range = fc.tuple(fc.nat(DISK_BYTES - 1), fc.integer({ min: 1, max: DISK_BYTES }));
  const ranges = fc.array(range, { maxLength: 5 });
  fc.assert(fc.property(ranges, fc.nat(PARTS), fc.nat(PARTS), (marked, a, b) => {
    const bits = new DirtyBits(PART_BITS, DISK_BYTES);
    const wanted = new Set<number>();
    for (const [offset, length] of marked) {
      const bytes = Math.min(length, DISK_BYTES - offset);
      bits.mark(offset, bytes);
      for (let part = offset >> PART_BITS; part << PART_BITS < offset + bytes; part++) {
        wanted.add(part);
      }
    }
    bits.grow(2 * DISK_BYTES);
    const [first, end] = [Math.min(a, b), Math.max(a, b)];
    const found = partsOf(bits, first << PART_BITS, end << PART_BITS);
    const inside = [...wanted].filter((part) => part >= first && part < end);
    assertEquals(found, inside.sort((one, other) => one - other));
  }));
});

Deno.test("DirtyBits takes no notice of what lies behind the disk", () => {
  const bits = new DirtyBits(PART_BITS, DISK_BYTES);
  bits.mark(2 ** 40, 2 ** 30);
  assertEquals(partsOf(bits, 0, DISK_BYTES), []);
});
