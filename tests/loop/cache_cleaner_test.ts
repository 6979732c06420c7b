// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { CacheCleaner } from "../../src/loop/cache_cleaner.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { POLLIN, PollSet } from "../../src/sys/poll.ts";
import { IntervalTimer } from "../../src/sys/timer.ts";
import { PATIENCE_MS } from "../support/patience.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

/** Whether `fd` becomes readable within `milliseconds`. */
function ticks(fd: number, milliseconds: number): boolean {
  const set = new PollSet();
  set.add(fd, POLLIN);
  return set.wait(milliseconds) > 0;
}

Deno.test("IntervalTimer ticks once in every period, until it is stopped", () => {
  using timer = new IntervalTimer();
  assertEquals(ticks(timer.fd, 20), false);
  timer.setPeriod(30);
  for (let round = 0; round < 3; round++) {
    assertEquals(ticks(timer.fd, PATIENCE_MS), true);
    timer.takeTicks();
  }
  timer.setPeriod(0);
  timer.takeTicks();
  assertEquals(ticks(timer.fd, 100), false);
});

Deno.test("CacheCleaner empties caches after an interval without traffic, and then rests", () => {
  let dropped = 0;
  const cleaner = new CacheCleaner(30, () => dropped++);
  for (let round = 1; round <= 2; round++) {
    assertEquals(ticks(cleaner.fd, 100), false);
    cleaner.used();
    for (let tick = 0; tick < 4; tick++) {
      assertEquals(ticks(cleaner.fd, PATIENCE_MS), true);
      cleaner.tick();
      cleaner.used();
    }
    assertEquals(dropped, round - 1);
    for (let tick = 0; tick < 2; tick++) {
      assertEquals(ticks(cleaner.fd, PATIENCE_MS), true);
      cleaner.tick();
    }
    assertEquals(dropped, round);
  }
});
