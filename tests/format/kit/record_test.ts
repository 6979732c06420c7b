// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { RecordLayout } from "../../../src/format/kit/record.ts";

const FIELDS = { kind: "u8", flags: "u8", count: "u16", size: "u32", offset: "u64" } as const;
const BYTES = Uint8Array.of(0xff, 1, 2, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5);

Deno.test("RecordLayout finds the offsets of its fields", () => {
  const layout = new RecordLayout(FIELDS, { sizeBytes: 16, endian: "big" });
  assertEquals(layout.offsets, { kind: 0, flags: 1, count: 2, size: 4, offset: 8 });
});

Deno.test("RecordLayout refuses a size that is not that of its fields", () => {
  assertThrows(() => new RecordLayout(FIELDS, { sizeBytes: 15, endian: "big" }), Error);
});

Deno.test("RecordLayout.read() reads big-endian and little-endian values", () => {
  const view = new DataView(BYTES.buffer);
  const big = new RecordLayout(FIELDS, { sizeBytes: 16, endian: "big" });
  const little = new RecordLayout(FIELDS, { sizeBytes: 16, endian: "little" });
  assertEquals(big.read(view, 1), { kind: 1, flags: 2, count: 3, size: 4, offset: 5n });
  const swapped = { kind: 1, flags: 2, count: 0x300, size: 0x4000000, offset: 5n << 56n };
  assertEquals(little.read(view, 1), swapped);
});

Deno.test("RecordLayout.read() does not read beyond the view", () => {
  const layout = new RecordLayout(FIELDS, { sizeBytes: 16, endian: "big" });
  assertThrows(() => layout.read(new DataView(BYTES.buffer), 2), RangeError);
});

const MIXED = { kind: "u8", count: "u16", size: "u32", offset: "u64", name: "bytes3" } as const;

Deno.test("RecordLayout.write() is the inverse of read(), and touches nothing else", () => {
  for (const endian of ["big", "little"] as const) {
    const layout = new RecordLayout(MIXED, { sizeBytes: 18, endian });
    const values = {
      kind: 0xff,
      count: 0x1234,
      size: 0xfedcba98,
      offset: 2n ** 64n - 2n,
      name: Uint8Array.of(1, 2, 3),
    };
    const bytes = new Uint8Array(22).fill(0xee);
    const view = new DataView(bytes.buffer);
    layout.write(view, 2, values);
    assertEquals(layout.read(view, 2), values);
    assertEquals([bytes[0], bytes[1], bytes[20], bytes[21]], [0xee, 0xee, 0xee, 0xee]);
    layout.write(view, 2, { count: 7 });
    assertEquals(layout.read(view, 2), { ...values, count: 7 });
  }
});

Deno.test("RecordLayout.write() refuses what does not fit", () => {
  const layout = new RecordLayout(MIXED, { sizeBytes: 18, endian: "big" });
  const view = new DataView(new ArrayBuffer(18));
  for (
    const values of [
      { kind: 256 },
      { count: -1 },
      { count: 1.5 },
      { size: 2 ** 32 },
      { offset: 2n ** 64n },
      { offset: -1n },
      { name: new Uint8Array(4) },
    ]
  ) {
    assertThrows(() => layout.write(view, 0, values), RangeError);
  }
  assertThrows(() => layout.write(view, 8, { offset: 1n }), RangeError);
  assertThrows(() => layout.write(view, 8, { name: new Uint8Array(3) }), RangeError);
});
