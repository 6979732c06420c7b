// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse } from "@std/assert";
import { WritePace } from "../../src/loop/write_pace.ts";

const KIB = 1024;

function takes(pace: WritePace, ms: number, times = 1): void {
  for (let i = 0; i < times; i++) pace.took(ms, 4 * KIB);
}

/** How many quick writes of other threads it takes until the loop tries again. */
function quickOnesWanted(pace: WritePace): number {
  let count = 0;
  for (; pace.isSlow; count++) pace.tookElsewhere(0.1, 4 * KIB);
  return count;
}

Deno.test("WritePace.took() calls files slow after one very long write, or two long ones close together", () => {
  const pace = new WritePace();
  takes(pace, 10);
  takes(pace, 0.1, 9);
  takes(pace, 10);
  assertFalse(pace.isSlow);
  takes(pace, 0.1, 8);
  takes(pace, 10);
  assert(pace.isSlow);
  const other = new WritePace();
  takes(other, 100);
  assert(other.isSlow);
});

Deno.test("WritePace.took() allows large writes more time", () => {
  const pace = new WritePace();
  for (let i = 0; i < 10; i++) pace.took(30, 16 * KIB * KIB);
  assertFalse(pace.isSlow);
});

Deno.test("WritePace.tookElsewhere() wants ever more quick writes where trying again was wrong", () => {
  const pace = new WritePace();
  takes(pace, 100);
  assertEquals(quickOnesWanted(pace), 64);
  takes(pace, 100);
  pace.tookElsewhere(0.1, 4 * KIB);
  pace.tookElsewhere(30, 4 * KIB);
  assertEquals(quickOnesWanted(pace), 128);
  for (let i = 0; i < 20; i++) {
    takes(pace, 100);
    assert(quickOnesWanted(pace) <= 16_384);
  }
  takes(pace, 0.1, 4096);
  takes(pace, 100);
  assertEquals(quickOnesWanted(pace), 64);
});
