// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { bitRun, isBitSet, setBits } from "../../../src/format/kit/sector_bits.ts";
import { randomNumbers } from "../../support/images.ts";

Deno.test("setBits() sets bits, isBitSet() tells them, bitRun() how many are alike", () => {
  const random = randomNumbers(7);
  for (let n = 0; n < 200; n++) {
    const model = Array.from({ length: 128 }, () => false);
    const bytes = new Uint8Array(20);
    for (let times = 0; times < 4; times++) {
      const sector = Math.floor(random() * 128);
      const count = Math.floor(random() * (129 - sector));
      setBits(bytes, 2, { sector, count });
      model.fill(true, sector, sector + count);
    }
    assertEquals(model.map((_, sector) => isBitSet(bytes, 2, sector)), model);
    const first = Math.floor(random() * 128);
    const other = model.findIndex((bit, sector) => sector > first && bit !== model[first]);
    const run = (other < 0 ? 128 : other) - first;
    assertEquals(bitRun(bytes, 2, { sector: first, count: 128 - first }), run);
    assertEquals([bytes[0], bytes[1], bytes[18], bytes[19]], [0, 0, 0, 0]);
  }
});

Deno.test("bitRun() counts from the highest bit of a byte on, too", () => {
  const bytes = Uint8Array.of(0b0001_1111, 0xff, 0b1000_0000);
  assertEquals(bitRun(bytes, 0, { sector: 0, count: 24, flip: 7 }), 3);
  assertEquals(bitRun(bytes, 0, { sector: 3, count: 21, flip: 7 }), 14);
});
