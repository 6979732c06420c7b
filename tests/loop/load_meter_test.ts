// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse } from "@std/assert";
import { LoadMeter } from "../../src/loop/load_meter.ts";

/** Whether the meter calls it too much, asked every 10 ms for a second. */
function alarms(idleTurnsBetween: number, sleepEveryMs = Infinity): number {
  const meter = new LoadMeter();
  meter.slept(5000);
  let count = 0;
  for (let ms = 10; ms <= 1000; ms += 10) {
    for (let turn = 0; turn < idleTurnsBetween; turn++) meter.idled();
    if (ms % sleepEveryMs === 0) meter.slept(5000 + ms);
    if (meter.isTooMuch(32, 5000 + ms)) count++;
  }
  return count;
}

Deno.test("LoadMeter calls a long time without rest too much, once for each such time", () => {
  assertEquals(alarms(0), 10);
  assertEquals(alarms(32), 10);
});

Deno.test("LoadMeter takes waiting in vain for rest", () => {
  assertEquals(alarms(1000), 0);
});

Deno.test("LoadMeter takes a sleep for rest", () => {
  assertEquals(alarms(0, 50), 0);
});

Deno.test("LoadMeter does not call a burst after a rest too much", () => {
  const meter = new LoadMeter();
  for (let turn = 0; turn < 1000; turn++) meter.idled();
  assertFalse(meter.isTooMuch(32, 1000), "a rest");
  assertFalse(meter.isTooMuch(32, 1050), "a burst");
  assert(meter.isTooMuch(32, 1101));
});
