// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { countsOf } from "../../../../src/format/qcow/write/counts.ts";

Deno.test("countsOf() reads and changes counts of every width, and no others beside them", () => {
  for (let order = 0; order <= 6; order++) {
    const counts = countsOf(order);
    assertEquals(counts.bits, 2 ** order);
    const view = new DataView(new ArrayBuffer(128));
    const most = Math.min(2 ** counts.bits - 1, 2 ** 32 - 1);
    const model = new Array(1024 / counts.bits).fill(0);
    for (let n = 0; n < 500; n++) {
      const index = n * 7919 % model.length;
      model[index] = n * 31337 % (most + 1);
      counts.set(view, index, model[index]);
    }
    assertEquals(model.map((_, index) => counts.get(view, index)), model);
    for (const [index, value] of model.entries()) {
      if (value > 0) assertEquals(counts.lower(view, index), --model[index]);
    }
    assertEquals(model.map((_, index) => counts.get(view, index)), model);
  }
});

Deno.test("countsOf() has the first count of a byte in its lowest bits (specification)", () => {
  const view = new DataView(new ArrayBuffer(1));
  countsOf(1).set(view, 0, 2);
  countsOf(1).set(view, 3, 1);
  assertEquals(view.getUint8(0), 0b0100_0010);
});

Deno.test("countsOf() lowers counts that take more than 32 bits", () => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, 2n ** 63n);
  countsOf(6).lower(view, 0);
  assertEquals(view.getBigUint64(0), 2n ** 63n - 1n);
});
